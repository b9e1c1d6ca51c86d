# SPDX-License-Identifier: GPL-3.0-or-later
"""How the report looks: one style sheet for screen, dark screen and paper, with the fonts that every system has."""

from __future__ import annotations

DARK_COLOURS = """
  --page: #16181b; --card: #1f2226; --ink: #e7e9ec; --soft: #a0a7b0; --rule: #33383f; --trough: #2a2e34;
  --stop: #f0716a; --warn: #e5a54b; --note: #7fb0e6; --good: #6cc18a;
  --tone1: #39597f; --tone2: #5a8cc4; --tone3: #a9d0fa; --lips: #e58aa0; --voice: #74b3f0; --light: #e2bd62;
  --blur: #b196e0; --turn: #6fc3b2;
"""

STYLE = f"""
:root {{
  color-scheme: light dark;
  --page: #f4f5f7; --card: #ffffff; --ink: #1d2126; --soft: #626a75; --rule: #dfe2e7; --trough: #eef0f3;
  --stop: #b3261e; --warn: #95590a; --note: #2b639f; --good: #23703c;
  --tone1: #bcd3ec; --tone2: #6b9bd0; --tone3: #2b5c94; --lips: #b8405e; --voice: #2b6cb0; --light: #a97a09;
  --blur: #6d4bb0; --turn: #1f7a68;
}}
@media (prefers-color-scheme: dark) {{ :root {{ {DARK_COLOURS} }} }}
* {{ box-sizing: border-box; }}
body {{
  margin: 0; background: var(--page); color: var(--ink);
  font: 15px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", "DejaVu Sans", sans-serif;
}}
main {{ max-width: 1060px; margin: 0 auto; padding: 36px 24px 64px; }}
h1 {{ font-size: 15px; font-weight: 600; margin: 0 0 14px; color: var(--soft); }}
h2 {{ font-size: 19px; font-weight: 600; margin: 44px 0 14px; }}
h3 {{ font-size: 15px; font-weight: 600; margin: 0 0 10px; }}
p {{ margin: 0; }}
.verdict {{ font-size: 30px; line-height: 1.2; font-weight: 650; letter-spacing: -0.01em; }}
.tally {{ margin-top: 8px; color: var(--soft); }}
.is-stop {{ color: var(--stop); }} .is-warn {{ color: var(--warn); }}
.is-note {{ color: var(--note); }} .is-good {{ color: var(--good); }}
.figures {{ display: grid; grid-template-columns: repeat(5, 1fr); gap: 1px; margin-top: 26px;
  background: var(--rule); border: 1px solid var(--rule); border-radius: 8px; overflow: hidden; }}
.figures div {{ background: var(--card); padding: 12px 14px; }}
.figures dt {{ font-size: 12.5px; color: var(--soft); }}
.figures dd {{ margin: 2px 0 0; font-size: 19px; font-weight: 600; font-variant-numeric: tabular-nums; }}
dl {{ margin: 0; }}
.finding {{ background: var(--card); border: 1px solid var(--rule); border-radius: 8px; padding: 16px 18px;
  margin-bottom: 10px; display: grid; grid-template-columns: 84px 1fr; gap: 4px 14px; break-inside: avoid; }}
.finding .severity {{ font-size: 12.5px; font-weight: 650; padding-top: 2px; }}
.finding .title {{ font-weight: 650; font-size: 16px; }}
.finding .rest {{ grid-column: 2; }}
.finding .remedy {{ margin-top: 6px; font-weight: 500; }}
.finding .where {{ margin-top: 6px; font-size: 13px; color: var(--soft); overflow-wrap: anywhere; }}
.card {{ background: var(--card); border: 1px solid var(--rule); border-radius: 8px; padding: 18px;
  break-inside: avoid; }}
.plots {{ display: grid; grid-template-columns: repeat(auto-fit, minmax(320px, 1fr)); gap: 14px; margin-top: 14px; }}
.wide {{ grid-template-columns: repeat(auto-fit, minmax(420px, 1fr)); }}
.plots .card {{ min-width: 0; }}
.about {{ margin-top: 10px; font-size: 13px; color: var(--soft); }}
.frames {{ display: grid; grid-template-columns: repeat(auto-fill, minmax(180px, 1fr)); gap: 14px; }}
figure {{ margin: 0; break-inside: avoid; }}
figure img {{ width: 100%; border-radius: 6px; display: block; background: var(--trough); }}
figcaption {{ font-size: 13px; margin-top: 6px; line-height: 1.4; overflow-wrap: anywhere; }}
figcaption span {{ color: var(--soft); display: block; }}
.scroll {{ overflow-x: auto; }}
table {{ border-collapse: collapse; width: 100%; font-size: 14px; font-variant-numeric: tabular-nums; }}
th {{ text-align: left; font-weight: 600; color: var(--soft); font-size: 13px; }}
th, td {{ padding: 7px 12px 7px 0; border-bottom: 1px solid var(--rule); vertical-align: top; }}
td:first-child {{ overflow-wrap: anywhere; min-width: 120px; }}
svg {{ width: 100%; height: auto; display: block; margin: 0 auto; }}
svg text {{ fill: var(--ink); font-size: 12px; font-family: inherit; }}
svg text.small {{ fill: var(--soft); font-size: 11px; font-variant-numeric: tabular-nums; }}
svg text.code {{ font-weight: 600; }}
svg text.alarm {{ fill: var(--warn); font-size: 11px; font-weight: 600; }}
svg .faint {{ opacity: 0.45; }}
.trough {{ fill: var(--trough); }} .fine {{ fill: var(--good); opacity: 0.16; }}
.good {{ fill: var(--good); }}
.bad {{ fill: var(--stop); }} .poor {{ fill: var(--warn); }} .other {{ fill: var(--blur); }}
.speech {{ fill: var(--voice); }}
.grid {{ stroke: var(--rule); stroke-width: 1; }} .limit {{ stroke: var(--stop); stroke-dasharray: 4 3; }}
.cut {{ stroke: var(--ink); stroke-width: 1.2; stroke-dasharray: 2 2; }}
.trace {{ fill: none; stroke-width: 1.1; }}
.lips {{ stroke: var(--lips); }}
.voice {{ stroke: var(--voice); stroke-width: 1.4; }} .light {{ stroke: var(--light); }}
.blur {{ stroke: var(--blur); }} .turn {{ stroke: var(--turn); }}
.level0 {{ fill: var(--tone1); }} .level1 {{ fill: var(--tone2); }} .level2 {{ fill: var(--tone3); }}
.left-half {{ fill: var(--lips); opacity: 0.6; }} .right-half {{ fill: var(--voice); opacity: 0.6; }}
.heat {{ fill: var(--tone2); }}
{" ".join(f".heat{step} {{ opacity: {0.12 + 0.88 * step / 9:.2f}; }}" for step in range(1, 10))}
.key i {{ display: inline-block; width: 10px; height: 10px; border-radius: 2px; margin: 0 5px 0 0; }}
.key span {{ margin-right: 14px; white-space: nowrap; }}
@media (max-width: 560px) {{ .finding {{ grid-template-columns: 1fr; }} .finding .rest {{ grid-column: 1; }}
  .plots, .wide {{ grid-template-columns: 1fr; }} .figures {{ grid-template-columns: repeat(2, 1fr); }} }}
@media print {{
  :root {{ --page: #fff; --card: #fff; --ink: #000; --soft: #444; --rule: #bbb; --trough: #eee; --stop: #a00;
    --warn: #850; --note: #036; --good: #050; --tone1: #bcd3ec; --tone2: #6b9bd0; --tone3: #2b5c94; }}
  body {{ font-size: 12px; }} main {{ padding: 0; max-width: none; }} h2 {{ break-after: avoid; }}
  * {{ print-color-adjust: exact; -webkit-print-color-adjust: exact; }}
}}
"""
