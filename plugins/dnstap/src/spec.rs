//! What `dnstap` says.

use std::sync::Arc;

use bytes::Bytes;
use contract::corefile::reader::repeated;
use contract::corefile::{Report, Statement, Word, unknown_property, value};
use contract::wire::Name;
use contract::{BuildError, Context, Plugin, Spec, limits};

use crate::endpoint::{EXPECTED, Endpoint};
use crate::outlet::{Key, Outlet};
use crate::plugin::{Dnstap, Tap};
use crate::tls;

const PROPERTIES: [&str; 4] = ["identity", "version", "extra", "skipverify"];
/// The largest WRITEBUFFER and QUEUE, CoreDNS's.
const WRITE_BUFFER_MAX: u32 = 1_024;
const QUEUE_MAX: usize = 4_096;

/// All `dnstap` of a server block as they were written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DnstapSpec {
    /// At least one.
    pub taps: Vec<TapSpec>,
}

/// One of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TapSpec {
    /// Where messages go.
    pub endpoint: Endpoint,
    /// With the messages as they were on the wire.
    pub full: bool,
    /// The send buffer that is asked for, MiB; TCP and TLS.
    pub write_buffer: u32,
    /// The bound of the queue, in units of 10,000 messages.
    pub queue: usize,
    /// Who says it; `None`: the host's name.
    pub identity: Option<String>,
    /// In which version; `None`: the daemon's.
    pub version: Option<String>,
    /// What is said with every message.
    pub extra: Option<String>,
    /// With TLS: every certificate is taken.
    pub skip_verify: bool,
}

/// Reads `dnstap SOCKET [full [WRITEBUFFER [QUEUE]]] { ... }`.
pub fn check(statement: &Statement, _zones: &[Name], report: &mut Report) -> Option<DnstapSpec> {
    let before = report.errors();
    if let Some(listen) = statement.arguments.first().filter(|word| **word == "listen") {
        let error = report.error(listen.span, "`dnstap listen` is not served: nobody connects to a node's daemon");
        error.help("let the sink listen, and name its socket: `dnstap tcp://HOST:PORT`");
        return None;
    }
    let mut reader = statement.reader(report);
    let endpoint = reader.value(EXPECTED, Endpoint::parse);
    let full = reader.optional_choice(&[("full", true)]).unwrap_or_default();
    let buffer = format!("WRITEBUFFER, a number of MiB from 1 to {WRITE_BUFFER_MAX}");
    let write_buffer = reader.optional_value(&buffer, value::number_in(1..=WRITE_BUFFER_MAX)).unwrap_or(1);
    let queue = format!("QUEUE, a number of times 10,000 messages, from 1 to {QUEUE_MAX}");
    let queue = reader.optional_value(&queue, value::number_in(1..=QUEUE_MAX)).unwrap_or(1);
    reader.finish();
    let is_tls = matches!(endpoint, Some(Endpoint::Tls(_)));
    let (identity, version, extra, skip_verify) = (None, None, None, false);
    let mut tap =
        endpoint.map(|endpoint| TapSpec { endpoint, full, write_buffer, queue, identity, version, extra, skip_verify });
    for property in statement.properties() {
        let read = property_of(statement, property, is_tls, report);
        if let (Some(tap), Some(read)) = (&mut tap, read) {
            match read {
                Property::Identity(text) => tap.identity = Some(text),
                Property::Version(text) => tap.version = Some(text),
                Property::Extra(text) => tap.extra = Some(text),
                Property::SkipVerify => tap.skip_verify = true,
            }
        }
    }
    tap.filter(|_| report.errors() == before).map(|tap| DnstapSpec { taps: vec![tap] })
}

enum Property {
    Identity(String),
    Version(String),
    Extra(String),
    SkipVerify,
}

fn property_of(statement: &Statement, property: &Statement, is_tls: bool, report: &mut Report) -> Option<Property> {
    let name = property.name.as_str();
    if name == "tls" {
        let error = report.error(property.name.span, "`tls` belongs to `dnstap listen`, which is not served");
        error.help("for a connection over TLS write `dnstap tls://HOST:PORT`");
        return None;
    }
    if !PROPERTIES.contains(&name) {
        unknown_property(property, &PROPERTIES, report);
        return None;
    }
    if repeated(statement, property, report) {
        return None;
    }
    let mut reader = property.reader(report);
    let read = match name {
        "identity" => reader.word("a name").map(|word| Property::Identity(word.text.clone())),
        "version" => reader.word("a version").map(|word| Property::Version(word.text.clone())),
        "extra" => reader.word("a text").map(|word| {
            no_placeholders(word, reader.report());
            Property::Extra(word.text.clone())
        }),
        _ => {
            if !is_tls {
                let warning = reader.report().warning(property.name.span, "`skipverify` has no effect without TLS");
                warning.help("only `dnstap tls://HOST:PORT` looks at certificates");
            }
            Some(Property::SkipVerify)
        }
    };
    reader.finish();
    read
}

/// CoreDNS fills in what stands in braces. Here it would reach the sink as it stands.
fn no_placeholders(word: &Word, report: &mut Report) {
    let inside = |part: &str| part.split_once('}').map(|(inside, _)| inside.to_owned());
    let is_name = |text: &String| {
        let text = text.strip_prefix(['/', '>']).unwrap_or(text);
        !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_lowercase() || b"/_-".contains(&byte))
    };
    if let Some(placeholder) = word.text.split('{').skip(1).filter_map(inside).find(is_name) {
        let message = format!("`{{{placeholder}}}` is a placeholder, and nothing is filled in here");
        report.error(word.span, message).expected("a text that is the same for every message");
    }
}

impl DnstapSpec {
    /// This `dnstap` and one further down in the same block: each sees every message.
    #[must_use]
    pub fn then(mut self, later: Self) -> Self {
        self.taps.extend(later.taps);
        self
    }
}

impl TapSpec {
    fn build(&self, context: &Context) -> Result<Tap, BuildError> {
        let key = Key {
            endpoint: self.endpoint.clone(),
            skip_verify: self.skip_verify,
            buffer: self.write_buffer << 20,
            queue: self.queue * limits::DNSTAP_QUEUE_UNIT,
        };
        let config = matches!(self.endpoint, Endpoint::Tls(_)).then(|| tls::config(self.skip_verify)).transpose()?;
        let host = || nix::unistd::gethostname().ok().and_then(|name| name.into_string().ok()).unwrap_or_default();
        let version = || concat!("nearpath-", env!("CARGO_PKG_VERSION")).to_owned();
        Ok(Tap {
            outlet: Outlet::of(&key, config, context),
            full: self.full,
            identity: Bytes::from(self.identity.clone().unwrap_or_else(host)),
            version: Bytes::from(self.version.clone().unwrap_or_else(version)),
            extra: self.extra.clone().map(Bytes::from),
        })
    }
}

impl Spec for DnstapSpec {
    fn name(&self) -> &'static str {
        "dnstap"
    }

    fn describe(&self) -> String {
        let taps = self.taps.iter().map(|tap| match tap.full {
            true => format!("{}, with the messages", tap.endpoint),
            false => tap.endpoint.to_string(),
        });
        format!("tells of messages to {}", taps.collect::<Vec<_>>().join("; "))
    }

    fn build(&self, context: &Context) -> Result<Arc<dyn Plugin>, BuildError> {
        let taps = self.taps.iter().map(|tap| tap.build(context)).collect::<Result<_, _>>()?;
        Ok(Arc::new(Dnstap::new(taps)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use contract::testing::{all_checked, checked};

    fn tap(text: &str) -> TapSpec {
        let (spec, report) = checked(text, check);
        assert_eq!(report, "", "{text}");
        spec.unwrap().taps.remove(0)
    }

    #[test]
    fn arguments_and_properties() {
        let plain = tap("dnstap /tmp/dnstap.sock");
        let tls = TapSpec {
            endpoint: Endpoint::parse("tls://sink.example.com:6000").unwrap(),
            full: true,
            write_buffer: 1_024,
            queue: 2_048,
            identity: Some("node".to_owned()),
            version: Some("one".to_owned()),
            extra: Some("rack 7 {}".to_owned()),
            skip_verify: true,
        };
        let written = "dnstap tls://sink.example.com:6000 full 1024 2048 {\n identity node\n version one\n \
                       extra \"rack 7 {}\"\n skipverify\n}";
        assert_eq!(tap(written), tls);
        assert_eq!((plain.full, plain.write_buffer, plain.queue, plain.identity), (false, 1, 1, None));
        assert_eq!((tap("dnstap /s full 7").write_buffer, tap("dnstap /s full 7 8").queue), (7, 8));
    }

    #[test]
    fn several_are_one_step() {
        let text = "dnstap /tmp/one full\ndnstap tcp://127.0.0.1:6000";
        let (specs, report) = all_checked(text, &[Name::root()], check);
        assert_eq!(report, "");
        let joined = specs.into_iter().flatten().reduce(DnstapSpec::then).unwrap();
        let said = "tells of messages to unix:///tmp/one, with the messages; tcp://127.0.0.1:6000";
        assert_eq!(joined.describe(), said);
    }

    #[test]
    fn what_has_no_effect_is_warned_of() {
        let (spec, report) = checked("dnstap tcp://127.0.0.1:6000 {\n skipverify\n}", check);
        assert!(spec.is_some() && report.contains("Corefile:3:2: warning: `skipverify` has no effect"), "{report}");
    }

    #[test]
    fn mistakes_are_named_with_their_place() {
        for (text, place, reason) in [
            ("dnstap", "2:7", "a socket: `/PATH`"),
            ("dnstap listen tcp://127.0.0.1:6000", "2:8", "let the sink listen"),
            ("dnstap udp://127.0.0.1:6000", "2:8", "do not go over `udp`"),
            ("dnstap /s ful", "2:11", "did you mean `full`"),
            ("dnstap /s full 0", "2:16", "WRITEBUFFER"),
            ("dnstap /s full 1025", "2:16", "from 1 to 1024"),
            ("dnstap /s full 1 4097", "2:18", "from 1 to 4096"),
            ("dnstap /s full 1 1 1", "2:20", "unexpected argument `1`"),
            ("dnstap /s {\n identity\n}", "3:10", "a name"),
            ("dnstap /s {\n identiy a\n}", "3:2", "did you mean `identity`"),
            ("dnstap /s {\n version a\n version b\n}", "4:2", "`version` stands twice"),
            (
                "dnstap /s {\n extra \"upstream: {/forward/upstream}\"\n}",
                "3:8",
                "`{/forward/upstream}` is a placeholder",
            ),
            ("dnstap /s {\n tls a b\n}", "3:2", "write `dnstap tls://HOST:PORT`"),
            ("dnstap tls://s:1 {\n skipverify yes\n}", "3:13", "unexpected argument `yes`"),
        ] {
            let (spec, report) = checked(text, check);
            assert_eq!(spec, None, "{text}");
            assert!(report.starts_with(&format!("Corefile:{place}: error")), "{text}: {report}");
            assert!(report.contains(reason), "{text}: {report}");
            assert_eq!(report.matches(": error: ").count(), 1, "{report}");
        }
    }
}
