//! The picture: what a cached hit costs at each server, and how far each figure is from what is to be reached.

use anyhow::{Result, anyhow};
use plotters::coord::Shift;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

use super::Results;
use crate::goals::Goal;
use crate::record::Record;
use crate::spread::Spread;

/// Pixels.
const WIDTH: i32 = 1_000;
const LINE: i32 = 30;
const BAR: i32 = 18;
/// Where bars and scales begin and end.
const LEFT: i32 = 390;
const RIGHT: i32 = 780;
/// Heads of the two panels, with their legends and scales.
const HEAD: i32 = 92;
const GAP: i32 = 34;

const INK: RGBColor = RGBColor(33, 37, 41);
const FAINT: RGBColor = RGBColor(108, 117, 125);
const RULE: RGBColor = RGBColor(222, 226, 230);
const OWN: [RGBColor; 2] = [RGBColor(8, 94, 110), RGBColor(92, 184, 200)];
const OTHERS: [RGBColor; 2] = [RGBColor(92, 99, 106), RGBColor(189, 195, 201)];
const GOOD: RGBColor = RGBColor(47, 133, 90);
const BAD: RGBColor = RGBColor(192, 57, 43);
const GOOD_GROUND: RGBColor = RGBColor(236, 247, 240);

type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;

/// SVG text.
pub(super) fn draw(results: &Results) -> Result<String> {
    let bars = bars(results);
    let goals = goals(results);
    let first = if bars.is_empty() { 0 } else { HEAD + LINE * count(bars.len()) + GAP };
    let height = first + HEAD + LINE * count(goals.len()) + 40;
    let mut text = String::new();
    {
        let size = (WIDTH.cast_unsigned(), height.cast_unsigned());
        let area = SVGBackend::with_string(&mut text, size).into_drawing_area();
        area.fill(&WHITE).map_err(trouble)?;
        if !bars.is_empty() {
            draw_bars(&area, &bars)?;
        }
        draw_goals(&area, first + 24, &goals)?;
        area.present().map_err(trouble)?;
    }
    Ok(text)
}

/// A server's CPU per cached hit, µs.
struct Bar {
    server: String,
    user: f64,
    all: f64,
}

/// Cheapest first.
fn bars(results: &Results) -> Vec<Bar> {
    let Some(record) = results.rows.iter().find(|record| record.row.name == "hit") else { return Vec::new() };
    let median = |server: &str, column| record.spread(server, column).map(|spread| spread.median);
    let bar = |server: &str| {
        Some(Bar { server: server.to_owned(), user: median(server, "user")?, all: median(server, "all")? })
    };
    let mut bars: Vec<_> = record.servers().into_iter().filter_map(bar).collect();
    bars.sort_by(|one, other| one.all.total_cmp(&other.all));
    bars
}

fn draw_bars(area: &Area<'_>, bars: &[Bar]) -> Result<()> {
    write(area, 24, 30, "CPU time of a cached hit", 19, INK, HPos::Left)?;
    write(area, 24, 56, "µs of the server for each answered question over UDP; less is better", 13, FAINT, HPos::Left)?;
    for (index, (name, color)) in [("user", OWN[0]), ("system", OWN[1])].into_iter().enumerate() {
        let x = RIGHT - 130 + 80 * count(index);
        fill(area, x, 24, x + 14, 38, color)?;
        write(area, x + 20, 31, name, 13, INK, HPos::Left)?;
    }
    let most = bars.iter().map(|bar| bar.all).fold(0.1, f64::max);
    let place = |figure: f64| LEFT + pixels(figure / most * f64::from(RIGHT - LEFT));
    for (index, bar) in bars.iter().enumerate() {
        let middle = HEAD + LINE * count(index) + LINE / 2 - 12;
        let (top, bottom) = (middle - BAR / 2, middle + BAR / 2);
        let own = bar.server == "nearpath";
        let [user, system] = if own { OWN } else { OTHERS };
        let name = if bar.server == "echo" { "bare UDP echo (the limit)" } else { &bar.server };
        write(area, LEFT - 12, middle, name, if own { 15 } else { 14 }, INK, HPos::Right)?;
        fill(area, LEFT, top, place(bar.user), bottom, user)?;
        fill(area, place(bar.user), top, place(bar.all), bottom, system)?;
        let figures = format!("{:.2}, of it user {:.2}", bar.all, bar.user);
        write(area, place(bar.all) + 8, middle, &figures, 13, INK, HPos::Left)?;
    }
    Ok(())
}

/// A figure to reach that was measured, as shares of what is to be reached.
struct Mark {
    says: String,
    figures: String,
    shares: Spread,
    is_met: bool,
}

fn goals(results: &Results) -> Vec<Mark> {
    let mark = |record: &Record, goal: &Goal| {
        let spread = goal.spread(record)?;
        // None where nothing may be lost: that has no ratio.
        let shares = Spread::of([spread.low, spread.median, spread.high].map(|figure| goal.reach.share(figure)))?;
        (shares.count == 3 && shares.median > 0.0).then(|| Mark {
            says: goal.says.to_owned(),
            figures: format!("{:.2}, {}", spread.median, goal.reach.text()),
            shares,
            is_met: goal.reach.is_met(spread),
        })
    };
    let all = results.rows.iter().flat_map(|record| record.row.goals.iter().map(move |goal| (record, goal)));
    all.filter_map(|(record, goal)| mark(record, goal)).collect()
}

fn draw_goals(area: &Area<'_>, top: i32, goals: &[Mark]) -> Result<()> {
    write(area, 24, top + 6, "Figures to reach", 19, INK, HPos::Left)?;
    let about = "share of what is to be reached: left of 1 is reached; dot: median, line: least to greatest round";
    write(area, 24, top + 32, about, 13, FAINT, HPos::Left)?;
    let low = goals.iter().map(|mark| mark.shares.low).fold(0.5, f64::min).max(0.001);
    let high = goals.iter().map(|mark| mark.shares.high).fold(2.0, f64::max).min(1_000.0);
    let (low, high) = (low.ln() - 0.1, high.ln() + 0.1);
    let width = f64::from(RIGHT - LEFT);
    let place = |share: f64| LEFT + pixels((share.max(1e-9).ln().clamp(low, high) - low) / (high - low) * width);
    let (begin, end) = (top + HEAD - 12, top + HEAD - 12 + LINE * count(goals.len()));
    fill(area, LEFT, begin, place(1.0), end, GOOD_GROUND)?;
    for tick in [0.001, 0.01, 0.1, 0.25, 0.5, 1.0, 2.0, 4.0, 10.0, 100.0] {
        if (low..=high).contains(&f64::ln(tick)) {
            line(area, (place(tick), begin), (place(tick), end), if tick == 1.0 { INK } else { RULE }, 1)?;
            write(area, place(tick), begin - 10, &tick.to_string(), 11, FAINT, HPos::Center)?;
        }
    }
    for (index, mark) in goals.iter().enumerate() {
        let middle = begin + LINE * count(index) + LINE / 2;
        let color = if mark.is_met { GOOD } else { BAD };
        write(area, LEFT - 12, middle, &mark.says, 13, INK, HPos::Right)?;
        line(area, (place(mark.shares.low), middle), (place(mark.shares.high), middle), color, 3)?;
        let dot = Circle::new((place(mark.shares.median), middle), 6, color.filled());
        area.draw(&dot).map_err(trouble)?;
        write(area, RIGHT + 14, middle, &mark.figures, 13, color, HPos::Left)?;
    }
    Ok(())
}

fn write(area: &Area<'_>, x: i32, y: i32, text: &str, size: u32, color: RGBColor, side: HPos) -> Result<()> {
    // The backend writes a size divided by 1.24.
    let style = ("sans-serif", f64::from(size) * 1.24).into_font().color(&color).pos(Pos::new(side, VPos::Center));
    area.draw(&Text::new(text.to_owned(), (x, y), style)).map_err(trouble)
}

fn fill(area: &Area<'_>, left: i32, top: i32, right: i32, bottom: i32, color: RGBColor) -> Result<()> {
    area.draw(&Rectangle::new([(left, top), (right, bottom)], color.filled())).map_err(trouble)
}

fn line(area: &Area<'_>, from: (i32, i32), to: (i32, i32), color: RGBColor, width: u32) -> Result<()> {
    area.draw(&PathElement::new(vec![from, to], color.stroke_width(width))).map_err(trouble)
}

fn count(number: usize) -> i32 {
    i32::try_from(number).expect("a page of rows")
}

fn pixels(length: f64) -> i32 {
    length.round() as i32
}

fn trouble(error: impl std::fmt::Display) -> anyhow::Error {
    anyhow!("{error}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::tests::results;

    #[test]
    fn servers_stand_from_cheap_to_dear_and_goals_behind() {
        let results = results();
        let names: Vec<_> = bars(&results).into_iter().map(|bar| bar.server).collect();
        assert_eq!(names, ["echo", "nearpath", "unbound"]);
        let text = draw(&results).unwrap();
        for part in ["nearpath", "bare UDP echo", "user CPU, nearpath to Unbound", "at most 0.5"] {
            assert!(text.contains(part), "{part}");
        }
    }

    #[test]
    fn a_run_without_figures_is_still_a_picture() {
        let mut results = results();
        results.rows.clear();
        assert!(draw(&results).unwrap().starts_with("<svg"));
    }
}
