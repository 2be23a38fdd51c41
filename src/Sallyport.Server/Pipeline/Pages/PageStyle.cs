using System.Security.Cryptography;
using System.Text;

namespace Sallyport.Server.Pipeline.Pages;

/// <summary>The one style sheet, inside each page and admitted by its hash: pages load nothing.</summary>
internal static class PageStyle
{
    private const string Css =
        """
        :root{color-scheme:light dark;--ink:#1c2430;--soft:#5a6675;--paper:#f4f5f7;--card:#fff;--line:#d5dae1;--act:#1f5fbf;--act-ink:#fff;--warn:#8a4b00;--warn-paper:#fff4e0}
        @media(prefers-color-scheme:dark){:root{--ink:#e8ecf1;--soft:#a3afbd;--paper:#12161c;--card:#1b212a;--line:#36404d;--act:#7db1ff;--act-ink:#0c1420;--warn:#ffc876;--warn-paper:#33270f}}
        *{box-sizing:border-box}
        body{margin:0;padding:1rem;min-height:100vh;display:flex;flex-direction:column;align-items:center;justify-content:center;background:var(--paper);color:var(--ink);font:1rem/1.5 system-ui,sans-serif}
        main{width:100%;max-width:30rem;padding:1.5rem;background:var(--card);border:1px solid var(--line);border-radius:.75rem;overflow-wrap:anywhere}
        h1{margin:0 0 1rem;font-size:1.35rem;line-height:1.25}
        h2{margin:0 0 .25rem;font-size:1.1rem;line-height:1.3}
        section{margin-top:1rem;padding:1rem;border:1px solid var(--line);border-radius:.5rem;background:var(--paper)}
        p{margin:0 0 1rem}
        a{color:var(--act)}
        dl{margin:0 0 1.25rem;border-top:1px solid var(--line)}
        dl div{padding:.6rem 0;border-bottom:1px solid var(--line)}
        dt{color:var(--soft);font-size:.85rem}
        dd{margin:0;font-weight:600}
        ul{margin:.2rem 0 0;padding-left:1.2rem}
        label{display:block;margin-bottom:.25rem;font-weight:600}
        input{width:100%;margin-bottom:1rem;padding:.6rem .7rem;font:inherit;color:inherit;background:var(--paper);border:1px solid var(--soft);border-radius:.4rem}
        button{padding:.65rem 1.25rem;font:inherit;font-weight:600;border:1px solid var(--act);border-radius:.4rem;background:var(--act);color:var(--act-ink);cursor:pointer}
        button.quiet{background:transparent;color:var(--ink);border-color:var(--soft)}
        .choice{display:grid;grid-template-columns:auto 1fr;gap:.25rem .6rem;align-items:start}
        .choice input{width:1.1rem;height:1.1rem;margin:.2rem 0 0;accent-color:var(--act)}
        .choice label{margin:0}
        .choice .soft{grid-column:2}
        :focus-visible{outline:3px solid var(--act);outline-offset:2px}
        .actions{display:flex;flex-wrap:wrap;gap:.75rem}
        .note{padding:.6rem .8rem;border-radius:.4rem;background:var(--warn-paper);color:var(--warn)}
        .soft,footer{color:var(--soft);font-size:.85rem;font-weight:400}
        code{font-family:ui-monospace,monospace;font-size:.9em}
        footer{margin-top:1rem}
        """;

    public const string Element = "<style>" + Css + "</style>";

    /// <summary>For <c>style-src</c>.</summary>
    public static readonly string Hash = $"'sha256-{Convert.ToBase64String(SHA256.HashData(Encoding.UTF8.GetBytes(Css)))}'";
}
