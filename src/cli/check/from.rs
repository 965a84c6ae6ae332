//! `--from`: the Corefiles in another server's manifests. What a manifest leaves to be said at run time is taken for what is usual,
//! and said.

use std::fs::File;
use std::io::Read as _;
use std::net::IpAddr;
use std::path::Path;

use anyhow::Context as _;

use crate::source::Text;
use crate::source::config_map::ConfigMap;
use crate::source::manifest::{self, MANIFEST_OCTETS_MAX};
use crate::source::template::{self, Values};

/// The link-local address that installers of NodeLocal DNSCache give it.
const USUAL_LOCAL: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(169, 254, 20, 10));
/// The address of the central Service in clusters that nobody configured.
const USUAL_CENTRE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(10, 96, 0, 10));

/// Reads a manifest. With `values` the placeholders of node-cache are filled in.
pub(super) fn read(path: &Path, values: Option<Values>) -> anyhow::Result<Vec<Text>> {
    let name = path.display();
    let mut manifest = String::new();
    // a pipe has no length
    let read = File::open(path).and_then(|file| file.take(MANIFEST_OCTETS_MAX + 1).read_to_string(&mut manifest));
    let octets = read.with_context(|| format!("cannot read the manifest {name}"))?;
    if octets as u64 > MANIFEST_OCTETS_MAX {
        anyhow::bail!("{name} has more than {MANIFEST_OCTETS_MAX} octets, which no manifest has");
    }
    let found = manifest::corefiles(&name.to_string(), &manifest).map_err(anyhow::Error::msg)?;
    let values = values.map(usual);
    found
        .into_iter()
        .map(|found| match &values {
            None => Ok(Text { name: found.place, text: found.text, warnings: Vec::new(), without_config_map: false }),
            Some((values, taken)) => fill(&found.place, &found.text, values, taken),
        })
        .collect()
}

/// The values, and what was taken for what is usual: placeholder and what to say.
fn usual(values: Values) -> (Values, Vec<(&'static str, String)>) {
    let mut taken = Vec::new();
    let mut values = values;
    if values.local.is_empty() {
        values.local = vec![USUAL_LOCAL];
        taken.push(("__PILLAR__LOCAL__DNS__", format!("taken for {USUAL_LOCAL}; say -localip")));
    }
    if values.cluster_dns.is_err() {
        values.cluster_dns = Ok(USUAL_CENTRE);
        taken.push(("__PILLAR__CLUSTER__DNS__", format!("taken for {USUAL_CENTRE}; say -upstream-address")));
    }
    (values, taken)
}

fn fill(place: &str, text: &str, values: &Values, taken: &[(&str, String)]) -> anyhow::Result<Text> {
    let rendered =
        template::render(text, values, &ConfigMap::default()).map_err(|error| anyhow::anyhow!("{place}:{error}"))?;
    let assumed = taken.iter().filter(|(placeholder, _)| text.contains(placeholder));
    let assumed = assumed.map(|(placeholder, said)| format!("{place}: {placeholder} {said}"));
    let warnings = rendered.warnings.into_iter().map(|warning| format!("{place}:{warning}"));
    let warnings = assumed.chain(warnings).collect();
    Ok(Text { name: place.to_owned(), text: rendered.text, warnings, without_config_map: false })
}
