//! DNSEndpoint (externaldns.k8s.io/v1alpha1): a list of records.

use std::fmt;

use contract::Kind;
use contract::limits::{PUBLISHED_PER_OBJECT_MAX, PUBLISHED_TARGET_OCTETS_MAX, PUBLISHED_TARGETS_MAX};
use contract::wire::RecordType;
use serde::de::{IgnoredAny, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

use super::draft::{Draft, Manner, Skipped};
use super::meta::{Meta, lenient};
use super::{Publishes, watched};

/// Properties of providers that lead to the same addresses.
const HARMLESS: [&str; 2] = ["alias", "aws/evaluate-target-health"];

/// A DNSEndpoint as the API server has it; what is not named here is skipped while it is read.
#[derive(Debug, Deserialize)]
pub(super) struct DnsEndpoint {
    metadata: Meta,
    #[serde(default, deserialize_with = "lenient")]
    spec: Spec,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Spec {
    endpoints: Endpoints,
}

/// Each endpoint is read by itself, so that an odd one does not take the others with it.
#[derive(Debug, Default)]
struct Endpoints {
    all: Vec<Endpoint>,
    skipped: Skipped,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Endpoint {
    dns_name: String,
    targets: Option<Vec<Box<str>>>,
    record_type: Option<String>,
    #[serde(rename = "recordTTL")]
    record_ttl: Option<i64>,
    set_identifier: Option<String>,
    provider_specific: Option<Vec<Property>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Property {
    name: String,
}

watched!(DnsEndpoint);

impl Publishes for DnsEndpoint {
    const KIND: Kind = Kind::DnsEndpoint;
    const API: &'static str = "/apis/externaldns.k8s.io/v1alpha1";
    const RESOURCE: &'static str = "dnsendpoints";
    const RIGHT: &'static str = "dnsendpoints.externaldns.k8s.io";
    const WITHOUT: &'static str =
        "; the CRD of ExternalDNS is not installed: install it, or write `endpoints off` within `watch`";

    fn meta(&self) -> &Meta {
        &self.metadata
    }

    fn publish(&self, draft: &mut Draft<'_>) {
        draft.skip(self.spec.endpoints.skipped);
        self.spec.endpoints.all.iter().for_each(|endpoint| endpoint.publish(draft));
    }
}

impl Endpoint {
    fn publish(&self, draft: &mut Draft<'_>) {
        let rtype = match self.record_type.as_deref().unwrap_or_default() {
            "" => None,
            text => match RecordType::parse(text) {
                Some(rtype) => Some(rtype),
                None => return draft.skip(Skipped { odd: 1, left_out: 0 }),
            },
        };
        let targets: Vec<&str> = self.targets.iter().flatten().map(|target| &**target).collect();
        if !targets.iter().all(|target| is_legal(target, rtype)) {
            return draft.skip(Skipped { odd: 1, left_out: 0 });
        }
        let ttl = self.record_ttl.and_then(|ttl| u32::try_from(ttl).ok()).filter(|ttl| *ttl > 0);
        let properties = self.provider_specific.iter().flatten();
        let is_special = self.set_identifier.as_ref().is_some_and(|one| !one.is_empty())
            || properties.into_iter().any(|property| !HARMLESS.contains(&&*property.name));
        let targets = if rtype.is_some() { &targets[..] } else { &[] };
        draft.add(&self.dns_name, rtype, targets, Manner { ttl, is_special });
    }

    /// Without targets that nobody would keep.
    fn bounded(mut self) -> (Self, usize) {
        let targets = self.targets.iter().flatten();
        let is_large = targets.clone().count() > PUBLISHED_TARGETS_MAX
            || targets.clone().any(|target| target.len() > PUBLISHED_TARGET_OCTETS_MAX);
        if is_large {
            self.targets = None;
        }
        (self, usize::from(is_large))
    }
}

/// ExternalDNS passes over an endpoint with a target that ends with a dot, or, in NAPTR, without one.
fn is_legal(target: &str, rtype: Option<RecordType>) -> bool {
    rtype == Some(RecordType::TXT) || target.ends_with('.') == (rtype == Some(RecordType::NAPTR))
}

impl<'d> Deserialize<'d> for Endpoints {
    fn deserialize<D: Deserializer<'d>>(from: D) -> Result<Self, D::Error> {
        struct All;
        impl<'d> Visitor<'d> for All {
            type Value = Endpoints;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a list of endpoints")
            }

            fn visit_unit<E>(self) -> Result<Endpoints, E> {
                Ok(Endpoints::default())
            }

            fn visit_seq<S: SeqAccess<'d>>(self, mut sequence: S) -> Result<Endpoints, S::Error> {
                let Endpoints { mut all, mut skipped } = Endpoints::default();
                while all.len() < PUBLISHED_PER_OBJECT_MAX {
                    let Some(raw) = sequence.next_element::<&RawValue>()? else { break };
                    match serde_json::from_str::<Endpoint>(raw.get()).map(Endpoint::bounded) {
                        Ok((endpoint, left_out)) => {
                            skipped.left_out += left_out;
                            all.push(endpoint);
                        }
                        Err(_) => skipped.odd += 1,
                    }
                }
                while sequence.next_element::<IgnoredAny>()?.is_some() {
                    skipped.left_out += 1;
                }
                all.shrink_to_fit();
                Ok(Endpoints { all, skipped })
            }
        }
        from.deserialize_any(All)
    }
}
