//! Pods of several namespaces that ask for the same outside names over and over, as their resolvers do with `ndots:5`: the
//! name below their own first search domain.

use std::io::ErrorKind;
use std::net::{Ipv4Addr, UdpSocket};
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};

use crate::message::{Reply, question};

/// Top-level labels of the outside names: few, as in the world.
const TOP_LABELS: [&str; 5] = ["com", "net", "org", "io", "dev"];

/// Who asks for what.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pods {
    /// Namespaces `ns1` and on, with a pod each at 127.0.1.1 and on.
    pub(crate) namespaces: u8,
    /// Outside names.
    pub(crate) names: usize,
    /// How long one pass through all names of all pods takes.
    pub(crate) pass: Duration,
}

/// What came back.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub(crate) struct Outcome {
    pub(crate) asked: u64,
    pub(crate) answered: u64,
}

impl Pods {
    /// The pods' lines in nearpath's table.
    pub(crate) fn table(&self) -> String {
        (1..=self.namespaces)
            .map(|number| {
                format!(
                    "ns{number}/client 127.0.1.{number} search ns{number}.svc.cluster.local svc.cluster.local \
                     cluster.local ndots 5\n"
                )
            })
            .collect()
    }

    /// Asks 127.0.0.1:`port` for `during`, pass after pass, evenly. An error if an answer is wrong or more than one in a
    /// hundred is missing.
    pub(crate) fn ask(&self, port: u16, during: Duration) -> Result<Outcome> {
        let pods: Vec<_> = (1..=self.namespaces).map(|number| Pod::new(number, port)).collect::<Result<_>>()?;
        let between = self.pass.div_f64(self.names as f64 * f64::from(self.namespaces));
        let begun = Instant::now();
        let mut outcome = Outcome::default();
        let mut due = Duration::ZERO;
        'passes: loop {
            for number in 0..self.names {
                for pod in &pods {
                    if begun.elapsed() > during {
                        break 'passes;
                    }
                    std::thread::sleep(due.saturating_sub(begun.elapsed()));
                    due += between;
                    outcome.asked += 1;
                    // A full buffer is a lost question, and counts as one.
                    let _ = pod.socket.send(&pod.question(number));
                    outcome.answered += pod.take_answers()?;
                }
            }
        }
        std::thread::sleep(Duration::from_millis(300));
        for pod in &pods {
            outcome.answered += pod.take_answers()?;
        }
        ensure!(outcome.answered * 100 >= outcome.asked * 99, "too many answers are missing: {outcome:?}");
        Ok(outcome)
    }
}

struct Pod {
    socket: UdpSocket,
    namespace: u8,
}

impl Pod {
    fn new(namespace: u8, port: u16) -> Result<Self> {
        let socket = UdpSocket::bind((Ipv4Addr::new(127, 0, 1, namespace), 0))?;
        socket.connect((Ipv4Addr::LOCALHOST, port))?;
        socket.set_nonblocking(true)?;
        Ok(Self { socket, namespace })
    }

    fn question(&self, number: usize) -> Vec<u8> {
        let id = u16::try_from(number).unwrap_or(u16::MAX);
        question(id, &format!("{}.ns{}.svc.cluster.local", outside_name(number), self.namespace))
    }

    fn take_answers(&self) -> Result<u64> {
        let mut buffer = [0; 4_096];
        let mut count = 0;
        loop {
            match self.socket.recv(&mut buffer) {
                Ok(length) => {
                    if let Some(reply) = Reply::parse(&buffer[..length]) {
                        ensure!(reply.expect_noerror()?.answers > 1, "a wrong answer: no CNAME with its address");
                        count += 1;
                    }
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(count),
                Err(error) => return Err(error.into()),
            }
        }
    }
}

fn outside_name(number: usize) -> String {
    format!("www.site{number}.{}", TOP_LABELS[number % TOP_LABELS.len()])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_pod_has_its_line() {
        let table = Pods { namespaces: 2, names: 1, pass: Duration::ZERO }.table();
        assert_eq!(table.lines().count(), 2);
        assert!(
            table.starts_with("ns1/client 127.0.1.1 search ns1.svc.cluster.local svc.cluster.local cluster.local ")
        );
    }

    #[test]
    fn outside_names_differ_and_share_few_top_labels() {
        let names: std::collections::BTreeSet<_> = (0..1_000).map(outside_name).collect();
        let tops: std::collections::BTreeSet<_> = names.iter().filter_map(|name| name.rsplit('.').next()).collect();
        assert_eq!((names.len(), tops.len()), (1_000, TOP_LABELS.len()));
    }
}
