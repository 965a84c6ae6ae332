//! Those who watch queries as they come: what they want to see, and what was too much for them.

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use contract::Sighting;
use contract::limits::WATCH_QUEUE_MAX;
use contract::wire::Rcode;
use tokio::sync::mpsc;

use super::told;
use crate::see::api::Sighted;

/// Which queries somebody wants to see: those that pass all that is set.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filter {
    /// `NAMESPACE/NAME` of whoever asks.
    pub pod: Option<String>,
    /// QNAME, where `*` stands for any characters and `?` for one; in lower case, without the last dot.
    pub name: Option<String>,
    /// What the reply says.
    pub rcode: Option<Rcode>,
}

/// A filter that cannot be understood.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadFilter {
    /// No such RCODE.
    #[error("`{text}` is no RCODE; one is NOERROR, NXDOMAIN, SERVFAIL or REFUSED")]
    Rcode {
        /// What was given.
        text: String,
    },
    /// Not the name of a pod.
    #[error("`{text}` is no pod; one is written NAMESPACE/NAME")]
    Pod {
        /// What was given.
        text: String,
    },
}

/// As many watch as may.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{most} watch already: end one of them first")]
pub struct TooManyWatchers {
    /// How many may.
    pub most: usize,
}

impl Filter {
    /// A filter as people write it.
    ///
    /// # Errors
    /// The RCODE or the pod cannot be one.
    pub fn parse(pod: Option<&str>, name: Option<&str>, rcode: Option<&str>) -> Result<Self, BadFilter> {
        let known = |text: &str| Rcode::parse(text).ok_or_else(|| BadFilter::Rcode { text: text.to_owned() });
        let is_pod = |text: &&str| text.split('/').count() == 2 && text.split('/').all(|part| !part.is_empty());
        let named = |text: &str| match text.len() {
            0 | 1 => text.to_ascii_lowercase(),
            _ => text.strip_suffix('.').unwrap_or(text).to_ascii_lowercase(),
        };
        if let Some(text) = pod.filter(|pod| !is_pod(pod)) {
            return Err(BadFilter::Pod { text: text.to_owned() });
        }
        Ok(Self { pod: pod.map(str::to_owned), name: name.map(named), rcode: rcode.map(known).transpose()? })
    }

    fn passes(&self, sighting: &Sighting<'_>, pod: &dyn Fn(IpAddr) -> Option<Arc<str>>) -> bool {
        let is_name = |glob: &str| is_like(glob.as_bytes(), told::name(sighting.name).as_bytes());
        self.rcode.is_none_or(|rcode| rcode == sighting.rcode)
            && self.name.as_deref().is_none_or(is_name)
            && self.pod.as_deref().is_none_or(|wanted| pod(sighting.client.ip()).as_deref() == Some(wanted))
    }
}

/// True if a text is like a pattern of `*` and `?`.
fn is_like(pattern: &[u8], text: &[u8]) -> bool {
    let (mut at, mut read) = (0, 0);
    // behind the last `*`, and what it has taken so far
    let mut star = None;
    while read < text.len() {
        match pattern.get(at) {
            Some(b'*') => {
                at += 1;
                star = Some((at, read));
            }
            Some(&letter) if letter == b'?' || letter == text[read] => (at, read) = (at + 1, read + 1),
            _ => {
                let Some((behind, taken)) = star else { return false };
                star = Some((behind, taken + 1));
                (at, read) = (behind, taken + 1);
            }
        }
    }
    pattern[at..].iter().all(|&letter| letter == b'*')
}

/// The queries that somebody sees. Dropped, nothing is shown any more.
#[derive(Debug)]
pub struct Watch {
    seen: mpsc::Receiver<Sighted>,
    missed: Arc<AtomicU64>,
}

impl Watch {
    /// The next one; `None` at the end of the daemon.
    pub async fn next(&mut self) -> Option<Sighted> {
        self.seen.recv().await
    }

    /// How many passed the filter and found no room since this was asked last.
    pub fn missed(&self) -> u64 {
        self.missed.swap(0, Ordering::Relaxed)
    }
}

/// The other end of a [`Watch`].
#[derive(Debug)]
pub(super) struct Watcher {
    filter: Filter,
    show: mpsc::Sender<Sighted>,
    missed: Arc<AtomicU64>,
}

impl Watcher {
    pub(super) fn new(filter: Filter) -> (Self, Watch) {
        let (show, seen) = mpsc::channel(WATCH_QUEUE_MAX);
        let missed = Arc::default();
        (Self { filter, show, missed: Arc::clone(&missed) }, Watch { seen, missed })
    }

    pub(super) fn is_gone(&self) -> bool {
        self.show.is_closed()
    }

    pub(super) fn wants(&self, sighting: &Sighting<'_>, pod: &dyn Fn(IpAddr) -> Option<Arc<str>>) -> bool {
        self.filter.passes(sighting, pod)
    }

    /// Shows a query; false if there is no room for it. What it says is not written then.
    pub(super) fn show(&self, sighted: impl FnOnce() -> Sighted) -> bool {
        match self.show.try_reserve() {
            Ok(room) => {
                room.send(sighted());
                true
            }
            Err(mpsc::error::TrySendError::Closed(())) => true, // nobody misses it
            Err(mpsc::error::TrySendError::Full(())) => {
                self.missed.fetch_add(1, Ordering::Relaxed);
                false
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_are_those_of_files() {
        for (pattern, text, expected) in [
            ("*.example.com", "www.example.com", true),
            ("*.example.com", "example.com", false),
            ("*", "", true),
            ("", "", true),
            ("", "a", false),
            ("a*b*c", "a-b-b-c", true),
            ("a*b*c", "a-c-b", false),
            ("w?w.*", "wow.example", true),
            ("w?w", "ww", false),
            ("*aab", "aaaaab", true),
        ] {
            assert_eq!(is_like(pattern.as_bytes(), text.as_bytes()), expected, "{pattern} {text}");
        }
    }

    #[test]
    fn a_filter_says_what_it_does_not_understand() {
        let filter = Filter::parse(Some("shop/cart-0"), Some("*.Example.COM."), Some("nxdomain")).unwrap();
        let (pod, name) = (Some("shop/cart-0".to_owned()), Some("*.example.com".to_owned()));
        assert_eq!(filter, Filter { pod, name, rcode: Some(Rcode::NXDOMAIN) });
        assert!(Filter::parse(None, None, Some("NODATA")).unwrap_err().to_string().contains("`NODATA` is no RCODE"));
        for pod in ["cart-0", "/cart-0", "a/b/c", ""] {
            assert!(Filter::parse(Some(pod), None, None).unwrap_err().to_string().contains("NAMESPACE/NAME"), "{pod}");
        }
    }
}
