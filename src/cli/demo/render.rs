//! The demo in words: measured figures to text of 80 columns, and nothing else.

use std::fmt::Write as _;
use std::path::Path;
use std::time::Duration;

use hickory_server::proto::op::ResponseCode;

use super::measure::{Course, Measured};
use super::paint::{Hue, Paint};
use super::pods::{CART_0, CART_1, FRONT_0, NDOTS};
use super::stub::{Lookup, Outcome, Step};
use super::zones::OUTSIDE;

/// How wide a terminal is at least.
const COLUMNS: usize = 80;

/// All that was measured.
#[derive(Clone, Debug)]
pub(super) struct Figures {
    /// How far away the centre is.
    pub(super) delay: Duration,
    /// At the node without `autopath`.
    pub(super) plain: Course,
    /// At the node with it.
    pub(super) autopath: Course,
}

/// Where a stranger may ask by hand.
#[derive(Clone, Copy, Debug)]
pub(super) struct ByHand<'a> {
    /// Port of the node without `autopath`.
    pub(super) plain: u16,
    /// Port of the node with it.
    pub(super) autopath: u16,
    /// Where the Corefiles and the table of pods lie.
    pub(super) files: &'a Path,
}

/// The walks and the table.
pub(super) fn figures(figures: &Figures, paint: Paint) -> String {
    let mut text = String::new();
    opening(&mut text, figures, paint);
    heading(&mut text, paint, "WITHOUT AUTOPATH", "the pod walks its search list, A and AAAA at each step");
    walk(&mut text, &figures.plain.first.lookup, paint);
    heading(&mut text, paint, "WITH AUTOPATH", "the pod takes one step, nearpath walks the rest for it");
    walk(&mut text, &figures.autopath.first.lookup, paint);
    table(&mut text, figures, paint);
    let (before, after) = (figures.plain.first.lookup.questions(), figures.autopath.first.lookup.questions());
    let _ = writeln!(text, "\n  The pod asked {before} questions without AutoPath, {after} with it.");
    text
}

/// What to type, one line each.
pub(super) fn by_hand(by_hand: ByHand<'_>, paint: Paint) -> String {
    let mut text = String::new();
    let _ = writeln!(text, "\n{}", paint.bold("ASK BY HAND"));
    let mut ask = |why: &str, source: Option<std::net::Ipv4Addr>, port: u16, domain: &str| {
        let from = source.map(|source| format!("-b {source} ")).unwrap_or_default();
        let comment = paint.hue(Hue::Faint, &format!("# {why}"));
        let _ = writeln!(text, "  {comment}\n  dig {from}@{} -p {port} {OUTSIDE}.{domain}", super::LOOPBACK);
    };
    let [own, other] = [CART_0.search[0], FRONT_0.search[0]];
    ask(
        &format!("{} without AutoPath: NXDOMAIN, and three more names to go", CART_0.name()),
        Some(CART_0.address),
        by_hand.plain,
        own,
    );
    ask(&format!("{} with AutoPath: the answer", CART_0.name()), Some(CART_0.address), by_hand.autopath, own);
    ask(&format!("{}, of another namespace", FRONT_0.name()), Some(FRONT_0.address), by_hand.autopath, other);
    ask("no pod: resolved as asked, never guessed", None, by_hand.autopath, own);
    let _ = writeln!(text, "\n{}\n  {}/", paint.bold("THE COREFILES AND THE TABLE OF PODS"), by_hand.files.display());
    let _ = writeln!(text, "\n  Ctrl-c ends the demo.");
    text
}

/// A file, under its name. Lines wider than a terminal are folded, and the reader is told.
pub(super) fn file(name: &str, content: &str, paint: Paint) -> String {
    let folded: Vec<String> = content.lines().flat_map(fold).collect();
    let note = if folded.len() > content.lines().count() { "  (long lines are folded here)" } else { "" };
    format!("\n{}{note}\n{}", paint.bold(name), folded.concat())
}

/// A line as lines of [`COLUMNS`], broken between words.
fn fold(line: &str) -> Vec<String> {
    let indent = line.len() - line.trim_start().len();
    let mut lines = vec![format!("  {}", &line[..indent])];
    for word in line.split_whitespace() {
        let last = lines.last_mut().expect("there is a line from the beginning");
        if last.trim().is_empty() {
            last.push_str(word);
        } else if last.chars().count() + 1 + word.chars().count() <= COLUMNS {
            let _ = write!(last, " {word}");
        } else {
            lines.push(format!("{:1$}{word}", "", indent + 6));
        }
    }
    lines.into_iter().map(|line| line + "\n").collect()
}

fn opening(text: &mut String, figures: &Figures, paint: Paint) {
    let (pod, away) = (CART_0.name(), figures.delay.as_millis());
    let _ = writeln!(text, "{}", paint.bold(&format!("A pod asks for {OUTSIDE}")));
    let _ = writeln!(text, "\n  pod {pod}, {} --> nearpath on its node --> centre, {away} ms away", CART_0.address);
    let _ = writeln!(text, "  search {}", CART_0.search.join(" "));
    let _ = writeln!(text, "  ndots {NDOTS}");
}

fn heading(text: &mut String, paint: Paint, title: &str, rest: &str) {
    let _ = writeln!(text, "\n{}  {rest}\n", paint.bold(title));
}

/// ```text
///   cart-0 -+-> NAME   NXDOMAIN   6.1 ms
///           '-> NAME   found      6.0 ms
///               = CANONICAL, ADDRESS, ADDRESS
/// ```
fn walk(text: &mut String, lookup: &Lookup, paint: Paint) {
    let pod = CART_0.name();
    let last = lookup.steps.len() - 1;
    for (position, step) in lookup.steps.iter().enumerate() {
        let (from, arrow) = match position {
            0 if last == 0 => (pod, "---"),
            0 => (pod, "-+-"),
            _ if position == last => ("", " '-"),
            _ => ("", " +-"),
        };
        let Step { name, outcome, took, .. } = step;
        let (said, hue) = said(outcome);
        let said = paint.hue(hue, &format!("{said:<9}")); // padded before it is painted
        let _ =
            writeln!(text, "  {from:<width$} {arrow}> {name:<39} {said} {:>8}", milliseconds(*took), width = pod.len());
        if let Outcome::Found { canonical, addresses } = outcome {
            let parts: Vec<String> =
                canonical.iter().cloned().chain(addresses.iter().map(ToString::to_string)).collect();
            let _ = writeln!(text, "{:indent$}= {}", "", parts.join(", "), indent = pod.len() + 8);
        }
    }
}

fn said(outcome: &Outcome) -> (String, Hue) {
    match outcome {
        Outcome::Found { .. } => ("found".to_owned(), Hue::Good),
        Outcome::NoData => ("NODATA".to_owned(), Hue::Poor),
        Outcome::NoSuchName => ("NXDOMAIN".to_owned(), Hue::Poor),
        Outcome::Failed(ResponseCode::ServFail) => ("SERVFAIL".to_owned(), Hue::Bad),
        Outcome::Failed(ResponseCode::Refused) => ("REFUSED".to_owned(), Hue::Bad),
        Outcome::Failed(code) => (format!("RCODE {}", u16::from(*code)), Hue::Bad),
        Outcome::Unanswered => ("no answer".to_owned(), Hue::Bad),
    }
}

fn table(text: &mut String, figures: &Figures, paint: Paint) {
    let _ = writeln!(text, "\n{:41}{:>11}{:>16}", "", "questions", "questions");
    let _ = writeln!(text, "{:41}{:>11}{:>16}{:>11}", "", "pod to node", "node to centre", "time");
    let neighbour = format!("its neighbour {}", CART_1.name());
    for (title, course, hue) in
        [("without AutoPath", &figures.plain, Hue::Poor), ("with AutoPath", &figures.autopath, Hue::Good)]
    {
        row(text, [title, "first time"], &course.first, paint, hue);
        row(text, ["", "again"], &course.again, paint, hue);
        row(text, ["", &neighbour], &course.neighbour, paint, hue);
    }
}

fn row(text: &mut String, [title, which]: [&str; 2], measured: &Measured, paint: Paint, hue: Hue) {
    let to_node = paint.hue(hue, &format!("{:>11}", measured.lookup.questions()));
    let time = milliseconds(measured.lookup.took);
    let _ = writeln!(text, "  {title:<17} {which:<21}{to_node}{:>16}{time:>11}", measured.to_centre);
}

fn milliseconds(time: Duration) -> String {
    format!("{:.1} ms", time.as_secs_f64() * 1000.0)
}

#[cfg(test)]
mod tests;
