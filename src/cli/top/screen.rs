//! One frame of `top` drawn: what is asked, where answers come from, who asks, who is asked, what fails. 80 columns and 24 lines
//! hold the whole of it; more lines make longer lists.

use ratatui::Terminal;
use ratatui::backend::TestBackend;
use ratatui::buffer::Buffer;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::{Style, Stylize as _};
use ratatui::text::Line;
use ratatui::widgets::{Block, Borders, Paragraph, Row, Table};

use super::super::daemon::{harmless, short};
use super::Frame;
use super::rates::Rates;
use crate::see::api::{Overview, UpstreamState};

/// Draws a frame; `note` is what is wrong with the connection to the daemon, if something is.
pub(super) fn draw(screen: &mut ratatui::Frame<'_>, frame: &Frame, note: Option<&str>) {
    // causes and addresses are long: they have the full width, and the lists above them the lines that are left
    let [head, ways, lists, asked, failed, foot] = Layout::vertical([
        Constraint::Length(4),
        Constraint::Length(6),
        Constraint::Fill(1),
        Constraint::Length(4),
        Constraint::Length(5),
        Constraint::Length(1),
    ])
    .areas(screen.area());
    screen.render_widget(Paragraph::new(head_lines(frame)), head);
    let [left, right] = halves(ways);
    screen.render_widget(source_of_answers(&frame.rates, left), left);
    screen.render_widget(searches(&frame.rates), right);
    let [left, right] = halves(lists);
    screen.render_widget(names(frame), left);
    screen.render_widget(clients(frame), right);
    screen.render_widget(upstreams(&frame.overview), asked);
    screen.render_widget(failures(&frame.overview), failed);
    screen.render_widget(foot_line(&frame.overview, note), foot);
}

/// The same as text, without colours.
pub(super) fn text(frame: &Frame, (columns, lines): (u16, u16)) -> String {
    let mut terminal = Terminal::new(TestBackend::new(columns, lines)).expect("a screen in memory");
    terminal.draw(|screen| draw(screen, frame, None)).expect("a screen in memory");
    lines_of(terminal.backend().buffer())
}

fn lines_of(buffer: &Buffer) -> String {
    let Rect { width, height, .. } = buffer.area;
    let line = |y: u16| {
        let cells = (0..width).filter_map(|x| buffer.cell((x, y)));
        let line: String = cells.map(|cell| cell.symbol()).collect();
        format!("{}\n", line.trim_end())
    };
    (0..height).map(line).collect()
}

fn halves(area: Rect) -> [Rect; 2] {
    Layout::horizontal([Constraint::Fill(1), Constraint::Fill(1)]).spacing(1).areas(area)
}

fn boxed(title: &str) -> Block<'static> {
    Block::new().borders(Borders::TOP).border_style(Style::new().dim()).title(Line::from(format!(" {title} ")).bold())
}

fn head_lines(frame: &Frame) -> Vec<Line<'static>> {
    let Frame { rates, overview, .. } = frame;
    let node = harmless(&overview.node);
    let failing: f64 = ["SERVFAIL", "REFUSED"].iter().filter_map(|rcode| rates.rcodes.get(*rcode)).sum();
    let took = |took: Option<(f64, f64)>| {
        took.map_or("-".to_owned(), |(half, most)| format!("p50 {}, p99 {}", short(half), short(most)))
    };
    let store = &overview.store;
    vec![
        Line::from(format!("nearpath {} on {node}, up {}", harmless(&overview.version), since(overview.uptime_s)))
            .bold(),
        Line::from(format!(
            "queries {}/s   from memory {}   failing {}/s   shared {}/s",
            count(rates.queries),
            rates.hit_share.map_or("-".to_owned(), percent),
            count(failing),
            count(rates.coalesced)
        )),
        Line::from(format!("took    all {}   hits {}", took(rates.took), took(rates.hits_took))),
        Line::from(format!(
            "memory  {} of {}, {} answers   under way {}   connections {}",
            mebibytes(store.octets),
            mebibytes(store.bound),
            store.entries,
            overview.misses_outstanding,
            overview.connections_open
        )),
    ]
}

/// The ways as CoreDNS's users know them, in words.
const WAYS: [(&str, &str); 5] = [
    ("success", "memory"),
    ("denial", "memory, denied"),
    ("stale", "memory, stale"),
    ("miss", "asked"),
    ("none", "no memory"),
];

fn source_of_answers(rates: &Rates, area: Rect) -> Table<'static> {
    let all: f64 = rates.ways.values().sum();
    let room = usize::from(area.width.saturating_sub(34));
    let row = |(way, words): (&str, &str)| {
        let rate = rates.ways.get(way).copied().unwrap_or_default();
        let share = if all > 0.0 { rate / all } else { 0.0 };
        let bar = "#".repeat((share * room as f64).round() as usize);
        Row::new([words.to_owned(), format!("{:>7}/s", count(rate)), format!("{:>6}", percent(share)), bar])
    };
    let widths = [Constraint::Length(14), Constraint::Length(9), Constraint::Length(6), Constraint::Fill(1)];
    Table::new(WAYS.map(row), widths).block(boxed("source of answers"))
}

fn searches(rates: &Rates) -> Table<'static> {
    let position = |(name, rate): (&String, &f64)| {
        let words = match name.as_str() {
            "absolute" => "the name itself".to_owned(),
            "none" => "no candidate".to_owned(),
            "failed" => "failed".to_owned(),
            place => format!("candidate {}", harmless(place)),
        };
        (words, *rate)
    };
    let plain = |(name, rate): (&String, &f64)| (format!("as asked: {}", harmless(name)), *rate);
    let mut rows: Vec<(String, f64)> =
        rates.autopath.iter().map(position).chain(rates.plain.iter().map(plain)).collect();
    rows.retain(|(_, rate)| *rate > 0.0);
    rows.sort_by(|(_, one), (_, other)| other.total_cmp(one));
    let rows = rows.into_iter().map(|(words, rate)| Row::new([words, format!("{:>7}/s", count(rate))]));
    Table::new(rows, [Constraint::Fill(1), Constraint::Length(9)]).block(boxed("searches by what decided"))
}

fn names(frame: &Frame) -> Table<'static> {
    let top = &frame.top;
    let rows = top
        .names
        .iter()
        .map(|one| Row::new([per_second(one.queries, top.window_s), harmless(&one.rtype), harmless(&one.name)]));
    let widths = [Constraint::Length(8), Constraint::Length(5), Constraint::Fill(1)];
    Table::new(rows, widths).block(boxed(&format!("names, last {:.0} s", top.window_s)))
}

fn clients(frame: &Frame) -> Table<'static> {
    let top = &frame.top;
    let rows = top.clients.iter().map(|one| {
        let who = one.pod.as_ref().unwrap_or(&one.ip);
        Row::new([per_second(one.queries, top.window_s), harmless(who)])
    });
    Table::new(rows, [Constraint::Length(8), Constraint::Fill(1)]).block(boxed("pods"))
}

/// Those that are down first, then the slowest.
fn upstreams(overview: &Overview) -> Table<'static> {
    let mut all: Vec<&UpstreamState> = overview.upstreams.iter().collect();
    let slowness = |one: &UpstreamState| one.round_trip_s.unwrap_or_default();
    all.sort_by(|one, other| one.is_up.cmp(&other.is_up).then(slowness(other).total_cmp(&slowness(one))));
    let rows = all.into_iter().map(|one| {
        let state = if one.is_up { "up" } else { "DOWN" };
        let time = one.round_trip_s.map_or("-".to_owned(), short);
        let row = Row::new([state.to_owned(), format!("{time:>8}"), who(one)]);
        if one.is_up { row } else { row.red().bold() }
    });
    let widths = [Constraint::Length(4), Constraint::Length(8), Constraint::Fill(1)];
    Table::new(rows, widths).block(boxed("upstreams, slowest first"))
}

fn who(upstream: &UpstreamState) -> String {
    let UpstreamState { address, protocol, zones, .. } = upstream;
    harmless(&format!("{address} {protocol} {zones}"))
}

fn failures(overview: &Overview) -> Table<'static> {
    let rows = overview
        .failures
        .iter()
        .map(|one| Row::new([format!("{:>6}", one.count), format!("{:>6}", ago(one.last_s)), harmless(&one.cause)]));
    let widths = [Constraint::Length(6), Constraint::Length(6), Constraint::Fill(1)];
    Table::new(rows, widths).block(boxed("failures, last, cause"))
}

fn foot_line(overview: &Overview, note: Option<&str>) -> Line<'static> {
    let pending = (!overview.not_ready.is_empty()).then(|| format!("not ready: {}", overview.not_ready.join(", ")));
    let wrong = note.map(str::to_owned).or_else(|| overview.health.clone()).or(pending);
    match wrong {
        Some(wrong) => Line::from(format!("{}   q: quit", harmless(&wrong))).red().bold(),
        None => Line::from(format!("well{}   q: quit", index(overview))).dim(),
    }
}

fn index(overview: &Overview) -> String {
    let told = |index: &crate::see::api::IndexState| match index.synced {
        true => format!(", {} pods known, last word {} ago", index.pods, since(index.age_s)),
        false => ", the pods of this node are not known yet".to_owned(),
    };
    overview.index.as_ref().map(told).unwrap_or_default()
}

fn per_second(queries: u64, window_s: f64) -> String {
    format!("{:>6}/s", count(queries as f64 / window_s.max(1.0)))
}

/// Five characters at most.
fn count(rate: f64) -> String {
    match rate + 0.0 {
        // the sum of nothing is a zero with a sign
        rate if rate >= 1e6 => format!("{:.1}M", rate / 1e6),
        rate if rate >= 1e4 => format!("{:.1}k", rate / 1e3),
        rate if rate >= 100.0 || rate == 0.0 => format!("{rate:.0}"),
        rate => format!("{rate:.1}"),
    }
}

fn percent(share: f64) -> String {
    format!("{:.1} %", 100.0 * share)
}

fn mebibytes(octets: u64) -> String {
    format!("{:.1} MiB", octets as f64 / f64::from(1 << 20))
}

fn ago(seconds: f64) -> String {
    match seconds {
        seconds if seconds >= 5_940.0 => format!("{:.0} h", seconds / 3_600.0),
        seconds if seconds >= 99.0 => format!("{:.0} m", seconds / 60.0),
        seconds => format!("{seconds:.0} s"),
    }
}

fn since(seconds: f64) -> String {
    let whole = seconds as u64;
    match whole {
        86_400.. => format!("{}d {}h", whole / 86_400, whole / 3_600 % 24),
        3_600.. => format!("{}h {}m", whole / 3_600, whole / 60 % 60),
        60.. => format!("{}m {}s", whole / 60, whole % 60),
        _ => format!("{whole}s"),
    }
}

#[cfg(test)]
mod tests;
