using Sallyport.Proof.Notes;
using Sallyport.Server.Audit;
using Sallyport.Server.Audit.Anchors;
using Sallyport.Tests.Witness;

namespace Sallyport.Tests.Audit.Anchors;

public sealed class FileAnchorTests : IDisposable
{
    private readonly PretendedLog _log = new();
    private readonly TestData _data = new();

    public void Dispose()
    {
        _log.Dispose();
        _data.Dispose();
    }

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    private string Path(string name) => System.IO.Path.Combine(_data.Root, name);

    private string Directory(string name) => System.IO.Directory.CreateDirectory(Path(name)).FullName;

    private async Task<Reason?> GiveAsync(FileAnchor anchor, long size)
    {
        var anchored = await anchor.GiveAsync(_log.New(size), Cancellation);
        Assert.Null(anchored.Cosignature);
        return anchored.Fault;
    }

    private static List<string> Read(string path) => [.. CheckpointLine.ReadAll(File.ReadAllText(path)).Select(note => note.ToString())];

    private string[] Notes(params long[] sizes) => [.. sizes.Select(size => _log.Note(size).ToString())];

    [Fact]
    public async Task A_file_gets_a_line_for_each_checkpoint_also_over_restarts()
    {
        Assert.Null(await GiveAsync(new(Path("file")), 3));
        var anchor = new FileAnchor(Path("file"));
        Assert.Null(await GiveAsync(anchor, 5));
        Assert.Null(await GiveAsync(anchor, 9));

        Assert.Equal(Notes(3, 5, 9), Read(Path("file")));
        Assert.Equal(3, File.ReadAllLines(Path("file")).Length);
    }

    [Fact]
    public async Task A_line_that_was_torn_takes_no_other_with_it()
    {
        Assert.Null(await GiveAsync(new(Path("file")), 3));
        File.AppendAllText(Path("file"), CheckpointLine.Format(_log.Note(5))[..40]);

        Assert.Null(await GiveAsync(new(Path("file")), 9));

        Assert.Equal(Notes(3, 9), Read(Path("file")));
    }

    [Fact]
    public async Task A_file_that_was_deleted_meanwhile_is_begun_again()
    {
        var anchor = new FileAnchor(Path("file"));
        Assert.Null(await GiveAsync(anchor, 3));
        File.Delete(Path("file"));

        Assert.Null(await GiveAsync(anchor, 5));

        Assert.Equal(Notes(5), Read(Path("file")));
    }

    [Fact]
    public async Task A_directory_gets_a_file_for_each_checkpoint()
    {
        var anchor = new FileAnchor(Directory("anchor"));

        Assert.Null(await GiveAsync(anchor, 3));
        Assert.Null(await GiveAsync(anchor, 12));

        var files = System.IO.Directory.GetFiles(Path("anchor")).Order(StringComparer.Ordinal).ToList();
        Assert.Equal(Notes(3, 12), files.Select(File.ReadAllText));
        Assert.Equal(["log.example-one-00000000000000000003.checkpoint", "log.example-one-00000000000000000012.checkpoint"], files.Select(System.IO.Path.GetFileName));
    }

    [Fact]
    public async Task A_checkpoint_that_is_there_already_is_kept_as_it_is()
    {
        var anchor = new FileAnchor(Directory("anchor"));
        Assert.Null(await GiveAsync(anchor, 3));
        var file = Assert.Single(System.IO.Directory.GetFiles(Path("anchor")));
        File.AppendAllText(file, new NoteSignature("someone.else", 1, new byte[64]).ToString());
        var before = File.ReadAllText(file);

        Assert.Null(await GiveAsync(anchor, 3));

        Assert.Equal(before, File.ReadAllText(file));
    }

    [Fact]
    public async Task Another_head_of_a_size_that_is_there_is_refused_and_not_written()
    {
        var anchor = new FileAnchor(Directory("anchor"));
        Assert.Null(await GiveAsync(anchor, 3));
        var before = Notes(3);
        _log.Rewrite(1);

        Assert.Equal(Reason.AnchorRefused, await GiveAsync(anchor, 3));

        Assert.Equal(before, System.IO.Directory.GetFiles(Path("anchor")).Select(File.ReadAllText));
    }

    [Fact]
    public async Task A_directory_that_was_deleted_meanwhile_is_unreachable_and_no_file_takes_its_place()
    {
        var anchor = new FileAnchor(Directory("anchor"));
        System.IO.Directory.Delete(Path("anchor"));

        Assert.Equal(Reason.AnchorUnreachable, await GiveAsync(anchor, 3));
        Assert.False(File.Exists(Path("anchor")));

        Directory("anchor");
        Assert.Null(await GiveAsync(anchor, 5));
    }

    [Fact]
    public async Task A_directory_named_as_one_that_is_not_there_yet_is_unreachable()
    {
        Assert.Equal(Reason.AnchorUnreachable, await GiveAsync(new(Path("anchor") + "/"), 3));
        Assert.False(File.Exists(Path("anchor")));
    }

    [Theory]
    // A file where a directory should be, a device that takes nothing, a place where nobody may write, whoever one is.
    [InlineData("file/below")]
    [InlineData("nowhere/file")]
    [InlineData("/proc/anchor")]
    [InlineData("/dev/full")]
    public async Task What_cannot_be_written_is_unreachable(string name)
    {
        File.WriteAllText(Path("file"), "");

        Assert.Equal(Reason.AnchorUnreachable, await GiveAsync(new(Path(name)), 3));
    }

    [Fact]
    public async Task The_writer_gets_a_line_for_each_checkpoint()
    {
        var writer = new StringWriter();
        var anchor = new WriterAnchor("stdout", writer);

        await anchor.GiveAsync(_log.New(3), Cancellation);
        await anchor.GiveAsync(_log.New(5), Cancellation);

        Assert.Equal(Notes(3, 5), CheckpointLine.ReadAll(writer.ToString()).Select(note => note.ToString()));
    }
}
