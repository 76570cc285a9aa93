#include "analysis/report/style.h"

namespace hyscale::analysis {

const char* const kStyle = R"css(
:root { --paper: #ffffff; --ink: #1c2128; --soft: #59626e; --rule: #d5dae1; --grid: #e8ebef; --wash: #f5f7f9;
  --notice: #fff4d6;
  --family0: #0072b2; --family1: #d55e00; --family2: #009e73; --family3: #a6539b;
  --family4: #b07d00; --family5: #3a9bd0; --family6: #6b6b6b; --family7: #7a4b1e;
  --order0: #440154; --order1: #46327e; --order2: #365c8d; --order3: #277f8e;
  --order4: #1fa187; --order5: #3fa64a; --order6: #8aa71c; --order7: #c08f00; }
@media screen and (prefers-color-scheme: dark) {
  :root { --paper: #14181d; --ink: #e4e8ed; --soft: #9aa5b1; --rule: #39424d; --grid: #262d35; --wash: #1b2127;
    --notice: #3d3413;
    --family0: #56a8e0; --family1: #ff8a3d; --family2: #2fc79a; --family3: #d993d0;
    --family4: #e6b93d; --family5: #8fd3ff; --family6: #b5b5b5; --family7: #c99563;
    --order0: #b18bd8; --order1: #8f96e8; --order2: #6aa9dd; --order3: #4fc0cb;
    --order4: #45cfae; --order5: #7fd96a; --order6: #c0dd4a; --order7: #fde725; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--paper); color: var(--ink);
  font: 16px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif; }
header, main { max-width: 1180px; margin: 0 auto; padding: 0 24px; }
header { padding-top: 28px; }
h1 { font-size: 1.7rem; line-height: 1.2; margin: 0; overflow-wrap: anywhere; }
h2 { font-size: 1.25rem; margin: 0 0 .6rem; }
h3 { font-size: 1rem; margin: 1.2rem 0 .4rem; }
header p { margin: .2rem 0 0; }
section { padding: 26px 0 10px; border-bottom: 1px solid var(--rule); }
section:last-child { border-bottom: 0; }
p { max-width: 75ch; }
.small { color: var(--soft); font-size: .875rem; max-width: 95ch; }
.notice { background: var(--notice); padding: .6rem .9rem; border-radius: 6px; }
ul { padding-left: 1.2rem; margin: .3rem 0; max-width: 95ch; }
li { margin: .25rem 0; overflow-wrap: anywhere; }
figure { margin: 0 0 1.2rem; }
figcaption { color: var(--soft); font-size: .875rem; max-width: 95ch; margin-top: .5rem; }
.panels { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 400px), 1fr)); gap: 14px 22px; }
.panels svg { width: 100%; max-width: 640px; height: auto; display: block; }
.legend { display: flex; flex-wrap: wrap; gap: 4px 18px; margin-bottom: .6rem; font-size: .875rem; }
.legend span { display: inline-flex; align-items: center; gap: 6px; white-space: nowrap; }
.swatch { width: 22px; height: 14px; }
svg text { fill: var(--soft); font-size: 12px; }
svg .title { fill: var(--ink); font-size: 14px; font-weight: 600; }
svg .label { fill: var(--ink); font-size: 12.5px; }
svg .grid { stroke: var(--grid); fill: none; }
svg .frame { fill: none; stroke: var(--rule); }
svg .line { fill: none; stroke-width: 1.7; stroke-linejoin: round; }
svg .dashed { stroke-dasharray: 5 4; }
svg .ring { fill: var(--paper); fill-opacity: .55; stroke-width: 2; }
svg .bar { fill: none; stroke-width: 1.6; opacity: .85; }
.scroll { overflow-x: auto; margin: .4rem 0 1rem; border: 1px solid var(--rule); border-radius: 6px; }
table { border-collapse: collapse; font-size: .84rem; width: 100%; font-variant-numeric: tabular-nums; }
th, td { padding: 5px 9px; text-align: left; white-space: nowrap; }
thead th { background: var(--wash); border-bottom: 1px solid var(--rule); }
tbody tr + tr td { border-top: 1px solid var(--grid); }
.number { text-align: right; }
th button { font: inherit; color: inherit; background: none; border: 0; padding: 0; cursor: pointer; }
th button:hover { text-decoration: underline; }
th[aria-sort=ascending] button::after { content: " ▲"; }
th[aria-sort=descending] button::after { content: " ▼"; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: 4px 18px; font-size: .875rem; }
dt { color: var(--soft); }
dd { margin: 0; overflow-wrap: anywhere; }
dl.answers { display: block; font-size: 1rem; max-width: 95ch; margin: .3rem 0; }
dl.answers dd { margin: 0 0 .6rem; }
@media (max-width: 600px) {
  header, main { padding-left: 14px; padding-right: 14px; }
  dl { grid-template-columns: 1fr; gap: 0; }
  dd { margin-bottom: .5rem; }
  svg text, svg .label { font-size: 14px; }
  svg .title { font-size: 16px; } }
@media print {
  body { font-size: 10.5pt; }
  header, main { max-width: none; padding: 0; }
  section { break-inside: auto; }
  figure, .panels svg, tr, li { break-inside: avoid; }
  h2, h3 { break-after: avoid; }
  .panels { grid-template-columns: 1fr 1fr; }
  .scroll { overflow: visible; border: 0; }
  table { font-size: 7.5pt; }
  th, td { padding: 2px 5px; white-space: normal; } }
)css";

const char* const kScript = R"js(
"use strict";
function keyOf(row, column) {
  const cell = row.cells[column], text = cell.dataset.sort ?? cell.textContent;
  const number = Number(text);
  return text !== "" && !Number.isNaN(number) ? number : text;
}
function compare(a, b) {
  if (typeof a === typeof b) return a < b ? -1 : a > b ? 1 : 0;
  return typeof a === "number" ? -1 : 1;
}
for (const table of document.querySelectorAll("table.sortable")) {
  const headings = [...table.tHead.rows[0].cells];
  headings.forEach((heading, column) => heading.addEventListener("click", () => {
    const sign = heading.getAttribute("aria-sort") === "ascending" ? -1 : 1;
    headings.forEach(other => other.removeAttribute("aria-sort"));
    heading.setAttribute("aria-sort", sign > 0 ? "ascending" : "descending");
    const rows = [...table.tBodies[0].rows];
    rows.sort((a, b) => sign * compare(keyOf(a, column), keyOf(b, column)));
    table.tBodies[0].append(...rows);
  }));
}
)js";

}  // namespace hyscale::analysis
