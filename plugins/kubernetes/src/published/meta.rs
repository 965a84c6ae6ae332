//! What Services and Ingresses have in common: whose they are, and what their annotations tell ExternalDNS.

use std::fmt;

use contract::corefile::value::duration_or_seconds;
use serde::de::{DeserializeOwned, IgnoredAny, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

use super::draft::{Draft, Manner};
use crate::words::Version;

/// The prefixes that ExternalDNS is known to be run with. One of them reads the annotations of one prefix alone.
const PREFIXES: [&str; 2] = ["external-dns.alpha.kubernetes.io/", "external-dns.kubernetes.io/"];
/// Who publishes it, if an annotation says so; for another one it is none of ExternalDNS's.
const CONTROLLER: &str = "dns-controller";
/// Longer than the Kubernetes API lets all annotations of an object be, octets.
const VALUE_MAX: usize = 256 << 10;

/// `metadata`.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct Meta {
    pub(super) uid: String,
    pub(super) namespace: String,
    pub(super) name: String,
    #[serde(rename = "resourceVersion")]
    pub(super) version: Version,
    #[serde(deserialize_with = "lenient")]
    pub(super) annotations: Annotations,
}

/// What the annotations of each prefix say.
#[derive(Debug, Default)]
pub(super) struct Annotations([Option<Box<Instructions>>; PREFIXES.len()]);

/// The annotations of one prefix.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Instructions {
    hostname: Option<String>,
    internal_hostname: Option<String>,
    ttl: Option<String>,
    target: Option<String>,
    controller: Option<String>,
    /// `ingress-hostname-source`.
    pub(super) source: Option<String>,
    /// There is one that may put other records in place of what the others say.
    is_special: bool,
}

/// Reads what may be there and be anything; what is not understood counts as not there.
pub(super) fn lenient<'d, T: Default + DeserializeOwned, D: Deserializer<'d>>(from: D) -> Result<T, D::Error> {
    let raw = <&RawValue>::deserialize(from)?;
    Ok(serde_json::from_str::<Option<T>>(raw.get()).ok().flatten().unwrap_or_default())
}

impl Annotations {
    /// As each ExternalDNS sees the object. One that is told nothing of it by annotations of its own is only counted if none is.
    pub(super) fn views(&self) -> impl Iterator<Item = &Instructions> {
        static NOTHING: Instructions = Instructions::NOTHING;
        let told = self.0.iter().flatten().map(|instructions| &**instructions);
        let untold = self.0.iter().all(Option::is_none).then_some(&NOTHING);
        told.chain(untold).filter(|view| view.controller.as_deref().is_none_or(|controller| controller == CONTROLLER))
    }
}

impl Instructions {
    const NOTHING: Self = Self {
        hostname: None,
        internal_hostname: None,
        ttl: None,
        target: None,
        controller: None,
        source: None,
        is_special: false,
    };

    /// The names, and those that are for the Service's own address.
    pub(super) fn hostnames(&self) -> (Vec<String>, Vec<String>) {
        (split(self.hostname.as_deref()), split(self.internal_hostname.as_deref()))
    }

    /// What stands in place of the object's own addresses; nothing if it is empty.
    pub(super) fn targets(&self) -> Vec<String> {
        let targets = split(self.target.as_deref()).into_iter();
        targets.map(|target| target.strip_suffix('.').unwrap_or(&target).to_owned()).collect()
    }

    pub(super) fn manner(&self) -> Manner {
        Manner { ttl: self.ttl.as_deref().and_then(ttl), is_special: self.is_special }
    }

    fn take(&mut self, key: &str, value: String) {
        let known = match key {
            "hostname" => &mut self.hostname,
            "internal-hostname" => &mut self.internal_hostname,
            "ttl" => &mut self.ttl,
            "target" => &mut self.target,
            "controller" => &mut self.controller,
            "ingress-hostname-source" => &mut self.source,
            // where addresses come from; or how an address of the provider's own is shown, which comes to the same addresses
            "access" | "endpoints-type" | "ingress" | "alias" | "aws-evaluate-target-health" => return,
            // weights, countries, proxies: every provider has its own
            _ => {
                self.is_special = true;
                return;
            }
        };
        *known = Some(value);
    }
}

/// `a, b`; without the empty ones.
fn split(list: Option<&str>) -> Vec<String> {
    let parts = list.unwrap_or_default().split(',').map(|part| part.replace(' ', "").trim().to_owned());
    parts.filter(|part| !part.is_empty()).collect()
}

/// Seconds, or a duration as Go has it; not below 1 and within 31 bits, or it does not count.
fn ttl(text: &str) -> Option<u32> {
    let seconds = duration_or_seconds(text).ok()?.as_secs();
    u32::try_from(seconds).ok().filter(|seconds| (1..=i32::MAX as u32).contains(seconds))
}

/// Adds names with what they point to; several views of one object may have added some already.
pub(super) fn add_all(draft: &mut Draft<'_>, names: &[String], targets: &[String], manner: Manner) {
    let targets: Vec<&str> = targets.iter().map(String::as_str).collect();
    names.iter().for_each(|name| draft.add_host(name, &targets, manner));
}

/// A key of an annotation: which prefix, and what stands behind it.
struct Key(Option<(usize, String)>);

impl<'d> Deserialize<'d> for Key {
    fn deserialize<D: Deserializer<'d>>(from: D) -> Result<Self, D::Error> {
        struct Text;
        impl Visitor<'_> for Text {
            type Value = Key;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a key")
            }

            fn visit_str<E>(self, text: &str) -> Result<Key, E> {
                let known =
                    PREFIXES.iter().zip(0..).find_map(|(prefix, at)| Some((at, text.strip_prefix(prefix)?.to_owned())));
                Ok(Key(known))
            }
        }
        from.deserialize_str(Text)
    }
}

impl<'d> Deserialize<'d> for Annotations {
    fn deserialize<D: Deserializer<'d>>(from: D) -> Result<Self, D::Error> {
        struct All;
        impl<'d> Visitor<'d> for All {
            type Value = Annotations;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("annotations")
            }

            fn visit_map<M: MapAccess<'d>>(self, mut map: M) -> Result<Annotations, M::Error> {
                let mut annotations = Annotations::default();
                while let Some(Key(known)) = map.next_key()? {
                    let Some((prefix, key)) = known else {
                        map.next_value::<IgnoredAny>()?;
                        continue;
                    };
                    let value: String = map.next_value()?;
                    let of_prefix = annotations.0[prefix].get_or_insert_default();
                    match value.len() <= VALUE_MAX {
                        true => of_prefix.take(&key, value),
                        false => of_prefix.is_special = true,
                    }
                }
                Ok(annotations)
            }
        }
        from.deserialize_map(All)
    }
}

/// `status.loadBalancer`.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct Status {
    #[serde(deserialize_with = "lenient")]
    load_balancer: LoadBalancer,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct LoadBalancer {
    ingress: Option<Vec<Entrance>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Entrance {
    ip: Option<String>,
    hostname: Option<String>,
}

impl Status {
    /// The addresses and names that a load balancer has.
    pub(super) fn entrances(&self) -> Vec<String> {
        let all = self.load_balancer.ingress.iter().flatten();
        let all = all.flat_map(|one| one.ip.iter().chain(&one.hostname)).filter(|one| !one.is_empty());
        all.map(|one| one.strip_suffix('.').unwrap_or(one).to_owned()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn annotations(json: &str) -> Annotations {
        serde_json::from_str::<Meta>(&format!(r#"{{"annotations":{json},"labels":{{"a":"b"}}}}"#)).unwrap().annotations
    }

    #[test]
    fn each_prefix_is_read_by_itself() {
        let both = annotations(
            r#"{"a":"b","external-dns.alpha.kubernetes.io/hostname":"a.z,\u0062.z","external-dns.kubernetes.io/hostname":"c.z",
            "external-dns.kubernetes.io/ttl":"10m","external-dns.alpha.kubernetes.io/target":" 192.0.2.1, lb.z., "}"#,
        );
        let views: Vec<_> = both.views().collect();
        assert_eq!(views.len(), 2);
        assert_eq!(views[0].hostnames(), (vec!["a.z".into(), "b.z".into()], vec![]));
        assert_eq!((views[0].targets(), views[0].manner().ttl), (vec!["192.0.2.1".into(), "lb.z".into()], None));
        assert_eq!((views[1].hostnames().0, views[1].manner().ttl), (vec!["c.z".into()], Some(600)));
        for none in ["{}", "null", "7", r#"{"a":"b"}"#, r#"{"external-dns.alpha.kubernetes.io/hostname":7}"#] {
            assert_eq!(annotations(none).views().collect::<Vec<_>>(), [&Instructions::NOTHING], "{none}");
        }
        let elsewhere = annotations(r#"{"external-dns.alpha.kubernetes.io/controller":"other"}"#);
        assert_eq!(elsewhere.views().count(), 0);
        let ours = annotations(r#"{"external-dns.alpha.kubernetes.io/controller":"dns-controller"}"#);
        assert_eq!(ours.views().count(), 1);
    }

    #[test]
    fn what_a_provider_reads_is_special_and_what_leads_to_the_same_addresses_is_not() {
        for (key, is_special) in [
            ("alias", false),
            ("aws-evaluate-target-health", false),
            ("access", false),
            ("set-identifier", true),
            ("aws-weight", true),
            ("cloudflare-proxied", true),
            ("webhook-x", true),
            ("something-new", true),
        ] {
            let one = annotations(&format!(r#"{{"external-dns.alpha.kubernetes.io/{key}":"x"}}"#));
            assert_eq!(one.views().next().unwrap().manner().is_special, is_special, "{key}");
        }
    }

    #[test]
    fn a_ttl_is_seconds_or_a_duration() {
        for (text, expected) in [
            ("600", Some(600)),
            ("10m", Some(600)),
            ("1h1.9s", Some(3_601)),
            ("0", None),
            ("500ms", None),
            ("-1", None),
            ("-1m", None),
            ("2147483647", Some(2_147_483_647)),
            ("2147483648", None),
            ("99999999999999999999", None),
            ("soon", None),
            ("", None),
        ] {
            assert_eq!(ttl(text), expected, "{text}");
        }
    }
}
