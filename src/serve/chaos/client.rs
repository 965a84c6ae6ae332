//! What a client is told of itself in class CHAOS: who it is to us, and what AutoPath would do for it now. Never about others.
//!
//! ```text
//!   CH TXT whoami.nearpath         --> address, pod, namespace, search list, ndots, age of the index, why no AutoPath
//!   CH TXT NAME.explain.nearpath   --> what its stub would ask for NAME, each candidate with its result, the reply, its way
//! ```
//!
//! Records carry numbers, since their order may not survive the way.

use contract::limits::{CHAOS_TEXT_MAX, CHAOS_TEXTS_MAX};
use contract::wire::{Class, Composer, Name, Rcode, RecordType};
use contract::{Answer, Client, Known, Moment, Plain, PodIndex, Resident, Scope};

use super::super::entrance::Entrance;
use super::super::why::{Typed, Who, Why};
use super::super::zones::Zones;

/// What a client asks about itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in super::super) enum Asked {
    /// Who it is.
    Whoami,
    /// What becomes of a name that one of its programs types.
    Explain(Name),
}

/// What the question is about, if it is one of these.
pub(in super::super) fn asked(name: &Name, rtype: RecordType, class: Class) -> Option<Asked> {
    if class != Class::CH || !matches!(rtype, RecordType::TXT | RecordType::ANY) {
        return None;
    }
    let mut labels = name.labels().collect::<Vec<_>>();
    if labels.pop() != Some(b"nearpath") {
        return None;
    }
    match (labels.pop()?, labels.is_empty()) {
        (b"whoami", true) => Some(Asked::Whoami),
        (b"explain", false) => {
            let typed = Name::strip(name.as_wire(), b"\x07explain\x08nearpath\0")?;
            Name::join(typed, &Name::root()).map(Asked::Explain)
        }
        _ => None,
    }
}

/// Who the client is.
pub(in super::super) fn whoami(zones: &Zones, client: &Client, now: Moment) -> Vec<String> {
    let mut lines = vec![format!("client {}", client.ip())];
    match zones.known(client) {
        None => lines.push("no autopath: no server block here has it".to_owned()),
        Some((index, known)) => {
            lines.extend(of_client(&known));
            lines.push(age(index, now));
            lines.extend(known.err().map(no_autopath));
        }
    }
    lines
}

/// What becomes of a name that a program of the client types, asked for A. Takes no longer than `limits::ANSWER_WITHIN`.
pub(in super::super) async fn explain(entrance: &Entrance, client: Client, name: Name) -> Vec<String> {
    let typed = Typed { name, rtype: RecordType::A, is_absolute: false, dnssec_ok: false };
    told(&entrance.why(client, Who::Itself, &typed).await, &typed)
}

/// The reply that tells these lines.
pub(in super::super) fn reply((name, rtype, class): (&Name, RecordType, Class), lines: &[String]) -> Answer {
    let mut composer = Composer::new(name, rtype, class);
    let pieces = lines.iter().flat_map(|line| pieces(line));
    for (number, piece) in pieces.take(CHAOS_TEXTS_MAX).enumerate() {
        composer.chaos_text(name, &format!("{:02} {piece}", number + 1)).expect("a few short texts fit");
    }
    Answer::composed(composer.finish(), Rcode::NOERROR)
}

fn of_client(known: &Known) -> Vec<String> {
    let Ok(Resident { pod, list, ndots }) = known else { return vec!["pod unknown".to_owned()] };
    let mut lines = match pod.as_deref().map(|pod| pod.split_once('/').unwrap_or(("", pod))) {
        Some((namespace, pod)) => vec![format!("pod {pod}"), format!("namespace {namespace}")],
        None => vec!["pod any: one list is everybody's".to_owned()],
    };
    let search: Vec<String> = list.domains.iter().map(Name::to_string).collect();
    lines.push(format!("search {}", if search.is_empty() { "none".to_owned() } else { search.join(" ") }));
    lines.push(format!("ndots {ndots}"));
    lines
}

fn age(index: &PodIndex, now: Moment) -> String {
    match index.age(now) {
        Some(age) => format!("index age {}s", age.as_secs()),
        None => "index age unknown: nobody has told of pods yet".to_owned(),
    }
}

fn no_autopath(plain: Plain) -> String {
    format!("no autopath: {plain}")
}

fn told(why: &Why, typed: &Typed) -> Vec<String> {
    let mut lines = Vec::new();
    if let Some(plain) = why.absent {
        lines.push(no_autopath(plain));
    }
    lines.push(format!("asked {} {}", why.query.name, why.query.rtype));
    lines.push(how_asked(why, typed));
    let walked = |walked: super::super::why::Walked| {
        format!("candidate {} of {} {}: {}", walked.position, walked.of, walked.name, walked.result)
    };
    lines.extend(why.walk().into_iter().map(walked));
    lines.push(match &why.served {
        Ok(reply) => format!("reply {}", reply.answer.rcode()),
        Err(failure) => format!("reply {}: {failure}", failure.told().0),
    });
    lines.push(format!("way {}", why.way()));
    lines
}

/// Why the stub asks this name first.
fn how_asked(why: &Why, typed: &Typed) -> String {
    let dots = typed.name.label_count().saturating_sub(1);
    match &why.resident {
        Some(Resident { ndots, .. }) if why.query.name != typed.name => {
            let how =
                if why.query.scope == Scope::Shared { "the pod walks its list by itself" } else { "AutoPath walks" };
            format!("with the first search domain, since its dots are {dots} and ndots is {ndots}; {how}")
        }
        Some(Resident { list, .. }) if list.domains.is_empty() => "as it is, since there is no search list".to_owned(),
        Some(Resident { ndots, .. }) if dots >= usize::from(*ndots) => {
            format!(
                "as it is, since its dots are {dots} and ndots is {ndots}; if it does not exist, a stub may search on"
            )
        }
        Some(_) => "as it is".to_owned(),
        None => "as it is, since the client's search list is not known here".to_owned(),
    }
}

/// A line in pieces that fit into a character string with their number; those that follow say so.
fn pieces(line: &str) -> Vec<String> {
    let (mut pieces, mut piece) = (Vec::new(), String::new());
    for character in line.chars() {
        if piece.len() + character.len_utf8() > CHAOS_TEXT_MAX {
            pieces.push(std::mem::replace(&mut piece, "... ".to_owned()));
        }
        piece.push(character);
    }
    pieces.push(piece);
    pieces
}

#[cfg(test)]
mod tests {
    use contract::wire::Section;

    use super::*;

    fn name(text: &str) -> Name {
        text.parse().unwrap()
    }

    #[test]
    fn only_these_names_of_class_chaos_are_about_the_client() {
        let chaos = |text: &str| asked(&name(text), RecordType::TXT, Class::CH);
        assert_eq!(chaos("whoami.nearpath"), Some(Asked::Whoami));
        assert_eq!(chaos("www.example.com.explain.nearpath"), Some(Asked::Explain(name("www.example.com"))));
        assert_eq!(chaos("web.explain.nearpath"), Some(Asked::Explain(name("web"))));
        assert_eq!(chaos("whoami.explain.nearpath"), Some(Asked::Explain(name("whoami"))));
        for other in
            ["explain.nearpath", "nearpath", ".", "x.whoami.nearpath", "whoami.nearpath.example", "whoami.bind"]
        {
            assert_eq!(chaos(other), None, "{other}");
        }
        assert_eq!(asked(&name("whoami.nearpath"), RecordType::TXT, Class::IN), None);
        assert_eq!(asked(&name("whoami.nearpath"), RecordType::A, Class::CH), None);
        assert_eq!(asked(&name("whoami.nearpath"), RecordType::TXT, Class(4)), None);
    }

    #[test]
    fn texts_are_numbered_and_within_their_bounds() {
        let lines: Vec<String> = ["x".repeat(600), "short".to_owned()].into();
        let told = reply((&name("whoami.nearpath"), RecordType::TXT, Class::CH), &lines);
        let message = told.message();
        let texts: Vec<String> = message
            .section(Section::Answer)
            .map(|record| {
                let rdata = message.rdata(&record);
                assert_eq!(usize::from(rdata[0]) + 1, rdata.len(), "one character string");
                String::from_utf8(rdata[1..].to_vec()).unwrap()
            })
            .collect();
        assert_eq!(texts.len(), 4);
        assert!(texts[0].starts_with("01 xxx") && texts[1].starts_with("02 ... xxx"), "{texts:?}");
        assert_eq!(texts[3], "04 short");
        assert_eq!(texts.concat().matches('x').count(), 600, "nothing is lost");
        let many: Vec<String> = (0..2 * CHAOS_TEXTS_MAX).map(|_| "y".repeat(CHAOS_TEXT_MAX)).collect();
        let told = reply((&name("whoami.nearpath"), RecordType::TXT, Class::CH), &many);
        assert_eq!(told.message().section(Section::Answer).count(), CHAOS_TEXTS_MAX);
    }
}
