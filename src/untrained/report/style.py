"""The look of the page: light or dark as the reader prefers, and fit for paper."""

CSS = """
:root {
  color-scheme: light dark;
  --ground: #ffffff; --card: #f6f7f9; --ink: #1c2128; --soft: #57606a; --line: #d5dae1; --accent: #b8440a;
}
@media (prefers-color-scheme: dark) {
  :root { --ground: #14171c; --card: #1d2229; --ink: #e6e9ee; --soft: #a3adba; --line: #353c47; --accent: #ff9a5c; }
}
* { box-sizing: border-box; }
body {
  margin: 0 auto; padding: 2rem 1.25rem 4rem; max-width: 68rem; background: var(--ground); color: var(--ink);
  font: 1rem/1.55 system-ui, -apple-system, "Segoe UI", Roboto, "DejaVu Sans", sans-serif;
}
header p { margin: 0; color: var(--accent); font-weight: 600; letter-spacing: .02em; }
h1 { margin: .1rem 0 1.2rem; font-size: 2rem; line-height: 1.2; overflow-wrap: anywhere; }
h2 { margin: 3rem 0 .8rem; padding-top: .8rem; font-size: 1.4rem; border-top: 1px solid var(--line); }
h3 { margin: 1.8rem 0 .4rem; font-size: 1.1rem; }
dl { display: flex; flex-wrap: wrap; gap: .6rem; margin: 0; }
dl div {
  flex: 1 1 7.5rem; display: flex; flex-direction: column; justify-content: space-between;
  padding: .6rem .8rem; background: var(--card); border-radius: .5rem;
}
dt { color: var(--soft); font-size: .82rem; line-height: 1.3; }
dd { margin: 0; font-size: 1.35rem; font-weight: 600; font-variant-numeric: tabular-nums; }
code, pre { font: .86em/1.5 ui-monospace, Menlo, Consolas, "DejaVu Sans Mono", monospace; overflow-wrap: anywhere; }
pre { padding: .9rem 1rem; white-space: pre-wrap; background: var(--card); border-radius: .5rem; }
.architecture { padding: .6rem .9rem; background: var(--card); border-left: .25rem solid var(--accent); }
figure { margin: 1.4rem 0; }
figcaption, caption { color: var(--soft); font-size: .9rem; }
figcaption { margin-top: .3rem; max-width: 52rem; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; font-size: .9rem; margin: 1rem 0; }
caption { caption-side: bottom; padding-top: .5rem; text-align: left; }
th, td { padding: .35rem 1rem .35rem 0; text-align: left; vertical-align: top; border-bottom: 1px solid var(--line); }
th { color: var(--soft); font-weight: 600; }
.number { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }
.tree, .tree ul { list-style: none; margin: 0; padding-left: 1.1rem; }
.tree { padding-left: 0; }
.tree ul { border-left: 2px solid var(--line); }
.tree li { margin: .25rem 0; font-size: .9rem; }
.tree code { color: var(--soft); }
footer { margin-top: 3rem; color: var(--soft); font-size: .85rem; }
/* The figures follow the page: their words take its ink. */
.js-plotly-plot .cartesianlayer text, .js-plotly-plot .infolayer text { fill: var(--ink) !important; }
.js-plotly-plot .cartesianlayer .heatmap-label text { fill: #fff !important; }
@media print {
  :root { --ground: #fff; --card: #f3f4f6; --ink: #000; --soft: #333; --line: #bbb; }
  body { max-width: none; padding: 0; font-size: 10pt; }
  figure, tr, dl div { break-inside: avoid; }
  h2, h3 { break-after: avoid; }
}
"""
