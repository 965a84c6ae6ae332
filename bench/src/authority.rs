//! The server that knows everything: a knotd that all servers forward to.
//!
//! Its root zone is a wildcard, so that every name exists and no zone file is as long as a row's list of names; its cluster
//! zone has some services and denies the rest.

use std::fmt::Write as _;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};

use crate::child::{Child, Launch};
use crate::message::Client;
use crate::ports;

/// Services `svcN.shop.svc.cluster.local`.
pub(crate) const SERVICES: usize = 20_000;
/// Namespaces `ns1` and on, besides `shop`.
pub(crate) const NAMESPACES: usize = 20;
/// How long it may take to start.
const START_WITHIN: Duration = Duration::from_secs(20);

/// A running knotd; dropped, it is ended.
#[derive(Debug)]
pub(crate) struct Authority {
    /// Its port on 127.0.0.1, UDP and TCP.
    pub(crate) port: u16,
    _process: Child,
}

impl Authority {
    /// Starts one whose denials in the cluster zone live `negative_life` seconds.
    pub(crate) fn start(directory: &Path, cores: &[usize], negative_life: u32) -> Result<Self> {
        let directory = directory.join(format!("authority-{negative_life}"));
        std::fs::create_dir_all(directory.join("db"))?;
        std::fs::write(directory.join("root.zone"), root_zone())?;
        std::fs::write(directory.join("cluster.zone"), cluster_zone(negative_life)?)?;
        let port = ports::free()?;
        let file = directory.join("knot.conf");
        std::fs::write(&file, configuration(&directory, port))?;
        let launch = Launch::new("knotd", ["-c".into(), file.into_os_string()]);
        let mut process = Child::start(&launch, cores, &directory.join("log"))?;
        let begun = Instant::now();
        let mut client = Client::new([127, 0, 0, 1].into(), port, Duration::from_millis(200))?;
        while !client.ask("svc1.shop.svc.cluster.local").is_ok_and(|reply| reply.rcode == 0) {
            if !process.is_alive() || begun.elapsed() > START_WITHIN {
                bail!("knotd does not start: {}", process.last_words());
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        Ok(Self { port, _process: process })
    }
}

fn root_zone() -> &'static str {
    "$ORIGIN .\n\
     @ 86400 SOA ns. hostmaster. 1 3600 600 86400 60\n\
     @ 86400 NS ns.\n\
     ns 86400 A 192.0.2.53\n\
     * 3600 A 192.0.2.1\n"
}

fn cluster_zone(negative_life: u32) -> Result<String> {
    let mut text = format!(
        "$ORIGIN cluster.local.\n\
         @ {negative_life} SOA ns hostmaster 1 3600 600 86400 {negative_life}\n\
         @ 3600 NS ns\n\
         ns 3600 A 192.0.2.53\n\
         kubernetes.default.svc 3600 A 10.96.0.1\n"
    );
    for number in 1..=NAMESPACES {
        writeln!(text, "web.ns{number}.svc 3600 A 10.96.1.{number}")?;
    }
    for number in 1..=SERVICES {
        writeln!(text, "svc{number}.shop.svc 3600 A 10.97.{}.{}", number / 250, number % 250 + 1)?;
    }
    Ok(text)
}

fn configuration(directory: &Path, port: u16) -> String {
    let directory = directory.display();
    format!(
        "server:\n    \
             rundir: \"{directory}\"\n    \
             listen: 127.0.0.1@{port}\n    \
             udp-workers: 1\n    \
             tcp-workers: 1\n    \
             background-workers: 1\n    \
             tcp-max-clients: 4096\n    \
             tcp-idle-timeout: 600\n\
         database:\n    \
             storage: \"{directory}/db\"\n\
         zone:\n  \
           - domain: \".\"\n    \
             file: \"{directory}/root.zone\"\n  \
           - domain: cluster.local\n    \
             file: \"{directory}/cluster.zone\"\n"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cluster_has_its_services_and_their_negative_life() {
        let zone = cluster_zone(5).unwrap();
        assert!(zone.contains("@ 5 SOA ns hostmaster 1 3600 600 86400 5\n"), "{zone}");
        assert_eq!(zone.matches(".shop.svc 3600 A ").count(), SERVICES);
        assert!(zone.contains("web.ns20.svc "));
    }
}
