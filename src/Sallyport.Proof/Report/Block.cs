namespace Sallyport.Proof.Report;

/// <summary>A piece of a report, before it is text, Markdown or HTML. What stands in it may come from outside: each format escapes it.</summary>
public abstract record Block;

/// <param name="Level">1 for the report itself.</param>
public sealed record Heading(int Level, string Text) : Block;

/// <param name="Standing">Marks the verdict, for formats that have colours.</param>
public sealed record Paragraph(string Text, Standing Standing = Standing.None) : Block;

public sealed record Items(IReadOnlyList<string> Lines) : Block;

/// <summary>Lines to be copied as they are.</summary>
public sealed record Verbatim(string Text) : Block;

/// <param name="Numbers">The columns that have numbers, to be set to the right.</param>
public sealed record Grid(IReadOnlyList<string> Columns, IReadOnlyList<IReadOnlyList<string>> Rows, IReadOnlyList<int> Numbers) : Block;

/// <summary>Allowed and refused over time.</summary>
public sealed record TimelinePicture(IReadOnlyList<TimeBucket> Buckets, TimeSpan Width) : Block;

/// <summary>How many times each step was taken, in order.</summary>
public sealed record FunnelPicture(string Of, IReadOnlyList<Tallied> Steps, string? Stopped) : Block;

/// <summary>Who said what to whom, one after the other.</summary>
/// <param name="Evidence">What the steps' numbers are of: events, or lines.</param>
public sealed record SequencePicture(IReadOnlyList<string> Parties, IReadOnlyList<SequenceStep> Steps, string Evidence) : Block;

/// <param name="From">Which of the parties.</param>
/// <param name="To">Likewise.</param>
/// <param name="Number">That of the event or the line that records it; null where none is known.</param>
public sealed record SequenceStep(int From, int To, string Text, long? Number);

/// <summary>How something stands.</summary>
public enum Standing
{
    None,
    Good,
    Doubtful,
    Bad,
}
