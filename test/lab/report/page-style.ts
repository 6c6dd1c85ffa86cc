// How the page looks, in light and dark, and the few lines of script that show a cell's details.

export const STYLE = `
:root { color-scheme: light dark; --paper: #fbfaf7; --card: #ffffff; --ink: #1d2126; --soft: #667078; --line: #e2e0da;
  --direct: #1f8f63; --reverse: #2a74b8; --punch: #e0a02c; --relay: #8657c0; --failed: #cf3f3f; --on: #ffffff; --on-punch: #2b1d00; --hatch: #e9e7e1; }
@media (prefers-color-scheme: dark) { :root { --paper: #14171a; --card: #1b1f23; --ink: #e8e6e1; --soft: #98a1a9; --line: #2d3338;
  --direct: #2aa574; --reverse: #3d8bd3; --punch: #e5ad45; --relay: #9f74d8; --failed: #e05757; --hatch: #23282c; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--paper); color: var(--ink); font: 15px/1.5 ui-sans-serif, system-ui, 'Segoe UI', 'Helvetica Neue', Arial, sans-serif; }
main { max-width: 1080px; margin: 0 auto; padding: 44px 28px 60px; }
.eyebrow { margin: 0; font-size: 12px; letter-spacing: .12em; text-transform: uppercase; color: var(--soft); }
h1 { margin: 2px 0 8px; font-size: 40px; line-height: 1.1; letter-spacing: -.02em; }
h2 { margin: 0 0 6px; font-size: 20px; letter-spacing: -.01em; }
.lead { max-width: 68ch; margin: 0 0 8px; }
.facts { margin: 0; font-size: 13px; color: var(--soft); }
code { font: 13px ui-monospace, 'SF Mono', Menlo, Consolas, monospace; background: var(--hatch); border-radius: 4px; padding: 1px 5px; }
section { margin-top: 34px; }
.figures { display: grid; grid-template-columns: repeat(auto-fit, minmax(190px, 1fr)); gap: 12px; }
.figures div { background: var(--card); border: 1px solid var(--line); border-radius: 10px; padding: 14px 16px; display: grid; align-content: start; }
.figures b { font-size: 28px; letter-spacing: -.02em; font-variant-numeric: tabular-nums; }
.figures small, .legend small { color: var(--soft); font-size: 12.5px; }
.legend { list-style: none; display: flex; flex-wrap: wrap; gap: 6px 20px; margin: 0 0 14px; padding: 0; font-weight: 600; font-size: 13.5px; }
.legend li { display: flex; align-items: center; gap: 7px; } .legend small { font-weight: 400; }
.legend i { width: 15px; height: 15px; border-radius: 4px; }
.direct { --colour: var(--direct); } .reverse { --colour: var(--reverse); } .punch { --colour: var(--punch); --on: var(--on-punch); }
.relay { --colour: var(--relay); } .failed { --colour: var(--failed); }
.legend i, .matrix td.direct, .matrix td.reverse, .matrix td.punch, .matrix td.relay, .matrix td.failed { background: var(--colour); color: var(--on); }
.legend i.none, .matrix td.none { background: repeating-linear-gradient(135deg, var(--hatch) 0 4px, transparent 4px 8px); }
.scroll { overflow-x: auto; }
.matrix { width: 100%; border-collapse: separate; border-spacing: 3px; font-variant-numeric: tabular-nums; }
.matrix thead td { vertical-align: bottom; color: var(--soft); white-space: nowrap; }
.matrix thead th { height: 148px; vertical-align: bottom; font-weight: 500; font-size: 13px; padding: 0 0 4px; }
.matrix thead span { writing-mode: vertical-rl; transform: rotate(180deg); display: inline-block; }
.matrix tbody th { width: 1%; text-align: right; font-weight: 500; font-size: 13px; padding-right: 8px; white-space: nowrap; }
.matrix tbody td { width: 58px; height: 38px; min-width: 44px; border-radius: 6px; text-align: center; font-weight: 600; font-size: 13.5px; cursor: default; line-height: 1.15; }
.matrix tbody td small { display: block; font-weight: 500; font-size: 10.5px; }
.matrix td.self { box-shadow: inset 0 0 0 1.5px color-mix(in srgb, var(--ink) 38%, transparent); }
.matrix td.surprise { outline: 2.5px solid var(--failed); outline-offset: -1px; }
.matrix td:hover, .matrix td:focus { filter: brightness(1.1); outline: 2px solid var(--ink); outline-offset: 1px; }
table.neighbours td.words { width: auto; text-align: left; font-weight: 400; padding-left: 10px; color: var(--soft); }
#details { display: block; white-space: pre-line; margin-top: 12px; min-height: 78px; padding: 10px 14px; background: var(--card); border: 1px solid var(--line); border-radius: 8px; font-size: 13.5px; color: var(--soft); }
#details.chosen { color: var(--ink); }
.times { width: 100%; height: auto; font-size: 12px; }
.times circle { fill: var(--colour); opacity: .82; }
.times .name { font-weight: 600; font-size: 13.5px; fill: var(--colour); } .times .note, .times .tick text, .times .trip { fill: var(--soft); font-size: 11px; }
.times .tick line { stroke: var(--line); } .times .tick text, .times .trip { text-anchor: middle; } .times .trip { font-size: 10.5px; opacity: .8; }
.times .median { stroke: var(--ink); stroke-width: 2; }
.kinds { border-collapse: collapse; font-size: 13.5px; } .kinds th { text-align: left; font-weight: 600; white-space: nowrap; }
.kinds td, .kinds th { padding: 6px 14px 6px 0; border-bottom: 1px solid var(--line); vertical-align: top; } .kinds thead th, .kinds td:first-child { color: var(--soft); font-weight: 500; }
.surprises { padding-left: 18px; } .surprises small { color: var(--soft); }
footer { margin-top: 40px; font-size: 13px; color: var(--soft); } footer code { display: inline-block; margin-top: 4px; }
`;

export const DETAILS_SCRIPT = `
const panel = document.getElementById('details');
const show = event => {
  const cell = event.target.closest('[data-details]');
  if (!cell) return;
  panel.textContent = cell.dataset.details;
  panel.classList.add('chosen');
};
document.addEventListener('mouseover', show);
document.addEventListener('focusin', show);
document.documentElement.dataset.ready = 'yes';
`;
