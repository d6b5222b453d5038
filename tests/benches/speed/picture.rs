//! The table as a picture: one bar for each row, from the same line for what must be reached.

use std::fmt::Write;

use crate::table::Line;

const WIDTH: f64 = 960.0;
const ROW: f64 = 34.0;
const TOP: f64 = 46.0;

/// Where bars begin and end: a quarter of what must be, and eight times it.
const LEFT: f64 = 400.0;
const RIGHT: f64 = 740.0;
const LEAST: f64 = 0.25;
const MOST: f64 = 8.0;

const STYLE: &str = "
  text { font: 13px system-ui, sans-serif; fill: #1f2328 }
  .small { font-size: 11px; fill: #59636e }
  .paper { fill: #ffffff } .track { fill: #eff2f5 } .line { stroke: #59636e; stroke-width: 1 }
  .goal-mark { stroke: #59636e; stroke-width: 2; stroke-dasharray: 3 3 }
  .goal { fill: #1a7f37 } .must { fill: #2f6fdb } .missed { fill: #cf222e }
  @media (prefers-color-scheme: dark) {
    text { fill: #e6edf3 } .small { fill: #9198a1 }
    .paper { fill: #0d1117 } .track { fill: #1c2129 } .line, .goal-mark { stroke: #9198a1 }
    .goal { fill: #3fb950 } .must { fill: #4f8ef7 } .missed { fill: #f85149 }
  }
";

pub fn draw(lines: &[Line], beside: &[String]) -> String {
    let bottom = TOP + ROW * lines.len() as f64;
    let height = bottom + 56.0;
    let mut svg = String::new();
    let mut put = |line: String| writeln!(svg, "{line}").unwrap();
    put(format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" width=\"{WIDTH}\" height=\"{height}\" role=\"img\">"
    ));
    put(format!("<title>Speed: each figure against what it must be and the goal</title>\n<style>{STYLE}</style>"));
    put(format!("<rect class=\"paper\" width=\"{WIDTH}\" height=\"{height}\" rx=\"6\"/>"));
    put(format!("<text class=\"small\" x=\"{:.1}\" y=\"20\" text-anchor=\"middle\">must</text>", place(1.0)));
    put(format!("<text class=\"small\" x=\"{RIGHT}\" y=\"20\" text-anchor=\"end\">better →</text>"));
    put(format!("<text class=\"small\" x=\"{}\" y=\"20\">figure (must, goal)</text>", RIGHT + 14.0));
    for (number, line) in lines.iter().enumerate() {
        let y = TOP + ROW * number as f64 - 16.0;
        let class = match line.verdict {
            known @ ("goal" | "must") => known,
            _ => "missed",
        };
        let [must, goal] = line.bounds();
        let (score, width) = (place(line.score(line.value)), RIGHT - LEFT);
        let at = place(line.score(line.goal));
        put(format!("<text x=\"{}\" y=\"{}\" text-anchor=\"end\">{}</text>", LEFT - 14.0, y + 17.0, line.what));
        put(format!("<rect class=\"track\" x=\"{LEFT}\" y=\"{y}\" width=\"{width}\" height=\"22\" rx=\"3\"/>"));
        put(format!(
            "<rect class=\"{class}\" x=\"{LEFT}\" y=\"{}\" width=\"{:.1}\" height=\"14\" rx=\"2\"/>",
            y + 4.0,
            score - LEFT
        ));
        put(format!("<path class=\"goal-mark\" d=\"M{at:.1} {y}v22\"/>"));
        put(format!(
            "<text x=\"{}\" y=\"{}\"><tspan font-weight=\"600\">{}</tspan><tspan class=\"small\"> ({must}, {goal})</tspan></text>",
            RIGHT + 14.0,
            y + 16.0,
            line.text()
        ));
    }
    put(format!("<path class=\"line\" d=\"M{:.1} 26V{:.1}\"/>", place(1.0), bottom - 14.0));
    let note = "Logarithmic. Solid line: must; dashed: goal. Medians of interleaved rounds.";
    let (machine, rest) = beside.split_at(beside.len().min(3));
    for (number, line) in [note.to_owned(), machine.join("; "), rest.join("; ")].iter().enumerate() {
        let y = bottom + 8.0 + 17.0 * number as f64;
        put(format!("<text class=\"small\" x=\"16\" y=\"{y}\">{}</text>", escaped(line)));
    }
    put("</svg>".to_owned());
    svg
}

/// Where a score stands.
fn place(score: f64) -> f64 {
    let share = (score.clamp(LEAST, MOST) / LEAST).ln() / (MOST / LEAST).ln();
    LEFT + (RIGHT - LEFT) * share
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;")
}
