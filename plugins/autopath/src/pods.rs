//! Reads a table of pods: `NAMESPACE/NAME IP[,IP...] search SUFFIX... [ndots N]` in each line, `#` begins a comment.

use std::collections::HashMap;
use std::net::IpAddr;

use contract::corefile::{Report, SourceId, Span, value};
use contract::limits::{PODS_MAX, SEARCH_DOMAINS_MAX};
use contract::wire::Name;

use crate::resolv_conf::NDOTS_MAX;

/// What kubelet writes for pods that use the cluster's DNS.
const NDOTS_DEFAULT: u8 = 5;

/// What a line looks like, for messages.
const LINE: &str = "NAMESPACE/NAME IP[,IP...] search SUFFIX... [ndots N]";

/// A pod as the table has it.
#[derive(Debug)]
pub(crate) struct PodLine {
    /// `NAMESPACE/NAME`.
    pub(crate) name: String,
    pub(crate) addresses: Vec<IpAddr>,
    pub(crate) search: Vec<Name>,
    pub(crate) ndots: u8,
}

/// Reads the whole table; everything that is wrong is reported, with line and column.
pub(crate) fn parse(file: &str, text: &str, report: &mut Report) -> Vec<PodLine> {
    let source = report.add_source(file, text);
    let mut pods: Vec<PodLine> = Vec::new();
    let mut names: HashMap<String, usize> = HashMap::new();
    let mut start = 0;
    for (number, line) in text.split_inclusive('\n').enumerate() {
        let words = words(source, start, line);
        start += line.len();
        let Some(first) = words.first().copied() else { continue };
        if pods.len() == PODS_MAX {
            report.error(first.span, format!("more than {PODS_MAX} pods; a node has fewer"));
            break;
        }
        if let Some(earlier) = names.insert(first.text.to_owned(), number + 1) {
            report.error(first.span, format!("pod `{}` stands in line {earlier} already", first.text));
        }
        pods.extend(pod(&words, report));
    }
    pods
}

#[derive(Clone, Copy)]
struct Word<'t> {
    text: &'t str,
    span: Span,
}

/// The words of a line up to its comment, each with its place.
fn words(source: SourceId, line_start: usize, line: &str) -> Vec<Word<'_>> {
    let code = line.split('#').next().unwrap_or_default();
    code.split_whitespace()
        .map(|text| {
            let start = line_start + (text.as_ptr() as usize - line.as_ptr() as usize);
            let place = |at: usize| u32::try_from(at).expect("the size of the file is bounded");
            Word { text, span: Span { source, start: place(start), end: place(start + text.len()) } }
        })
        .collect()
}

/// One pod; `None` if anything in its line is wrong.
fn pod(words: &[Word<'_>], report: &mut Report) -> Option<PodLine> {
    let before = report.errors();
    let [name, rest @ ..] = words else { return None };
    if !name.text.split_once('/').is_some_and(|(namespace, name)| is_word(namespace) && is_word(name)) {
        report.error(name.span, format!("`{}` names no pod", name.text)).expected("NAMESPACE/NAME");
    }
    let [addresses, rest @ ..] = rest else { return missing(name, "one or more addresses", report) };
    let parsed = self::addresses(addresses, report);
    let [keyword, rest @ ..] = rest else { return missing(addresses, "the word `search`", report) };
    if keyword.text != "search" {
        let error = report.error(keyword.span, format!("unexpected `{}`", keyword.text));
        error.expected("the word `search` and the pod's search domains").nearest(keyword.text, ["search"]);
        return None;
    }
    let split = rest.iter().position(|word| word.text == "ndots").unwrap_or(rest.len());
    let (domains, tail) = rest.split_at(split);
    let search = search(keyword, domains, report);
    let ndots = ndots(tail, report);
    (report.errors() == before).then(|| PodLine { name: name.text.to_owned(), addresses: parsed, search, ndots })
}

fn addresses(word: &Word<'_>, report: &mut Report) -> Vec<IpAddr> {
    let mut at = word.span.start;
    let mut addresses = Vec::new();
    for text in word.text.split(',') {
        let span = Span { start: at, end: at + text.len() as u32, ..word.span };
        at = span.end + 1;
        match value::ip(text) {
            Ok(address) => addresses.push(address),
            Err(reason) => {
                report.error(span, format!("wrong address `{text}`: {reason}")).expected("IP[,IP...]");
            }
        }
    }
    addresses
}

fn search(keyword: &Word<'_>, words: &[Word<'_>], report: &mut Report) -> Vec<Name> {
    if words.is_empty() {
        missing(keyword, "one or more search domains", report);
    }
    if let Some(beyond) = words.get(SEARCH_DOMAINS_MAX) {
        report.error(beyond.span, format!("more than {SEARCH_DOMAINS_MAX} search domains; kubelet allows no more"));
    }
    let mut domains = Vec::new();
    for word in words {
        match Name::parse(word.text) {
            Ok(name) => domains.push(name),
            Err(reason) => {
                report.error(word.span, format!("wrong search domain `{}`: {reason}", word.text));
            }
        }
    }
    domains
}

/// `ndots N`, or nothing.
fn ndots(words: &[Word<'_>], report: &mut Report) -> u8 {
    let [keyword, rest @ ..] = words else { return NDOTS_DEFAULT };
    let [number, rest @ ..] = rest else {
        missing(keyword, "a number", report);
        return NDOTS_DEFAULT;
    };
    for word in rest {
        report.error(word.span, format!("unexpected `{}`", word.text)).expected("the end of the line");
    }
    value::number_in(0..=NDOTS_MAX)(number.text).unwrap_or_else(|reason| {
        report.error(number.span, format!("wrong ndots `{}`: {reason}", number.text));
        NDOTS_DEFAULT
    })
}

fn missing(after: &Word<'_>, what: &str, report: &mut Report) -> Option<PodLine> {
    report.error(after.span.after(), format!("{what} expected behind `{}`", after.text)).expected(LINE);
    None
}

fn is_word(text: &str) -> bool {
    !text.is_empty() && !text.contains('/')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_is_read() {
        let mut report = Report::new();
        let text = "# this node\n\nshop/web-1 10.0.0.1,fd00::1 search shop.svc.d. svc.d . ndots 3 # its own\nx/y 10.0.0.2 search x.svc.d";
        let pods = parse("pods", text, &mut report);
        assert_eq!(report.to_string(), "");
        assert_eq!(pods.len(), 2);
        assert_eq!(pods[0].name, "shop/web-1");
        assert_eq!(pods[0].addresses, ["10.0.0.1".parse::<IpAddr>().unwrap(), "fd00::1".parse().unwrap()]);
        assert_eq!(pods[0].search, ["shop.svc.d", "svc.d", "."].map(|text| Name::parse(text).unwrap()));
        assert_eq!((pods[0].ndots, pods[1].ndots), (3, 5));
    }

    #[test]
    fn all_errors_come_at_once_with_their_places() {
        let text = "\
noslash 10.0.0.1 search a
a/b 10.0.0.1,10.0.0.300 search a
a/c
a/d 10.0.0.1
a/e 10.0.0.1 serch a
a/f 10.0.0.1 search
a/g 10.0.0.1 search a..b ndots
a/h 10.0.0.1 search a ndots 16
a/i 10.0.0.1 search a ndots 1 2
a/i 10.0.0.2 search a
";
        let mut report = Report::new();
        let pods = parse("pods", text, &mut report);
        assert_eq!(pods.len(), 1, "only the last line is well-formed in itself");
        let printed = report.to_string();
        for (place, what) in [
            ("1:1", "names no pod"),
            ("2:14", "wrong address `10.0.0.300`"),
            ("3:4", "one or more addresses"),
            ("4:13", "the word `search`"),
            ("5:14", "unexpected `serch`"),
            ("6:20", "one or more search domains"),
            ("7:21", "wrong search domain `a..b`"),
            ("7:31", "a number"),
            ("8:29", "wrong ndots `16`"),
            ("9:31", "unexpected `2`"),
            ("10:1", "pod `a/i` stands in line 9 already"),
        ] {
            let line = printed.lines().find(|line| line.starts_with(&format!("pods:{place}: error:")));
            assert!(line.is_some_and(|line| line.contains(what)), "{place} {what}\n{printed}");
        }
        assert_eq!(report.errors(), 11, "{printed}");
        assert!(printed.contains("did you mean `search`?"), "{printed}");
    }

    #[test]
    fn a_table_is_bounded() {
        let text: String = (0..=PODS_MAX).map(|number| format!("a/{number} 10.0.0.1 search a\n")).collect();
        let mut report = Report::new();
        assert_eq!(parse("pods", &text, &mut report).len(), PODS_MAX);
        assert_eq!(report.errors(), 1);
        let text = format!("a/b 10.0.0.1 search{}\n", " x".repeat(SEARCH_DOMAINS_MAX + 1));
        assert_eq!(parse("pods", &text, &mut report).len(), 0);
        assert_eq!(report.errors(), 2);
    }
}
