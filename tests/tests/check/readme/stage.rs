//! Makes of an example a Corefile that can be served here: addresses, ports and files of its own, and stand-ins of ours in
//! the place of its upstreams.
//!
//! ```text
//!   example --Layout: where it listens--> Stage: line by line --> Corefile, StandIns, folder with the files
//! ```

use std::net::{IpAddr, SocketAddr};

use nearpath_tests::place;

use super::files::Files;
use super::layout::{Layout, key, words};
use super::standin::StandIn;

/// What is needed to serve an example.
#[derive(Debug)]
pub(super) struct Stage {
    pub corefile: String,
    pub layout: Layout,
    pub files: Files,
    pub standins: Vec<StandIn>,
    /// Stands there as `@NAMESPACE/SERVICE`: there is an API server to tell of it.
    pub services: Vec<String>,
    /// Where metrics and health are served.
    admin: SocketAddr,
    /// Open braces before the current line.
    depth: usize,
    /// The directive that the current line belongs to.
    directive: String,
}

/// Addresses as clients have them here: 127.168.0.0/16 for 192.168.0.0/16, since all of 127/8 is this machine; the
/// machine itself has the lower half alone.
pub(super) fn client(text: &str) -> String {
    text.replace("192.168.", "127.168.").replace("127.0.0.0/8", "127.0.0.0/9")
}

impl Stage {
    /// Sets an example up. With `v6` it is served to clients over IPv6 as well.
    ///
    /// # Errors
    /// It names a file that the README does not show, or has no server block.
    pub(super) fn of(example: &str, shown: &[(String, String)], v6: bool) -> Result<Self, String> {
        let layout = Layout::of(example, v6)?;
        let files = Files::new(shown, layout.at.ip());
        let admin = SocketAddr::new(place::address(), 9_000);
        let mut stage = Self {
            corefile: String::new(),
            layout,
            files,
            standins: Vec::new(),
            services: Vec::new(),
            admin,
            depth: 0,
            directive: String::new(),
        };
        let lines: Vec<&str> = example.lines().collect();
        for (at, line) in lines.iter().enumerate() {
            stage.line(line, &lines[at..])?;
        }
        Ok(stage)
    }

    /// True if the API server is asked for something.
    pub(super) fn is_watched(&self, example: &str) -> bool {
        !self.services.is_empty() || example.contains(" @kubernetes") || example.contains(" watch")
    }

    fn line(&mut self, line: &str, rest: &[&str]) -> Result<(), String> {
        let said = words(line);
        let Some(&first) = said.first() else { return Ok(()) };
        let opens = said.last() == Some(&"{");
        if self.depth == 1 {
            first.clone_into(&mut self.directive);
        }
        let mut after = String::new();
        let staged = match (self.depth, first) {
            (0, _) if first.starts_with('(') || first == "import" || first == "}" => line.to_owned(),
            (0, _) => {
                if opens && !self.layout.is_bound(rest) {
                    after = format!("    bind {}\n", self.layout.everywhere_bound());
                }
                let keys = said.iter().flat_map(|word| word.split(',')).filter(|key| !key.is_empty() && *key != "{");
                let keys: Vec<_> = keys.map(|text| self.layout.key(&key(text))).collect();
                format!("{}{}{}", keys.join(", "), if opens { "" } else { "," }, if opens { " {" } else { "" })
            }
            (1, "bind") => said.iter().map(|word| self.layout.bound(word)).collect::<Vec<_>>().join(" "),
            (1, "prometheus" | "health" | "ready" | "pprof") => {
                self.admin.set_port(self.admin.port() + 1);
                format!("{first} {}{}", self.admin, if opens { " {" } else { "" })
            }
            (1, "forward") => {
                after = self.trust(rest);
                let to = said
                    .iter()
                    .enumerate()
                    .map(|(at, word)| if at < 2 { (*word).to_owned() } else { self.upstream(word, rest) });
                to.collect::<Vec<_>>().join(" ")
            }
            (1, "privatezone") => {
                after = self.trust(rest);
                line.to_owned()
            }
            (2.., "to") if self.directive == "privatezone" => {
                let to = said
                    .iter()
                    .enumerate()
                    .map(|(at, word)| if at < 1 { (*word).to_owned() } else { self.upstream(word, rest) });
                to.collect::<Vec<_>>().join(" ")
            }
            _ => self.other(line)?,
        };
        self.corefile.push_str(&staged);
        self.corefile.push('\n');
        self.corefile.push_str(&after);
        self.depth += usize::from(opens);
        self.depth -= usize::from(first == "}");
        Ok(())
    }

    /// Any other line: its files are ours, and its clients those of this machine. Nobody listens to what is told elsewhere.
    fn other(&self, line: &str) -> Result<String, String> {
        let is_about_clients = self.directive == "acl" || line.contains("client_ip");
        let line = if is_about_clients { client(line) } else { line.to_owned() };
        let tells = ["dnstap", "trace"].contains(&self.directive.as_str());
        self.files.named_in(&line, |word| {
            let (scheme, _) = word.split_once("://").filter(|(scheme, _)| tells && *scheme != "unix")?;
            Some(format!("{scheme}://127.0.0.1:1"))
        })
    }

    /// What stands for an upstream. Names of Services stay, and the API server tells of a stand-in.
    fn upstream(&mut self, word: &str, statement: &[&str]) -> String {
        if word == "{" {
            return word.to_owned();
        }
        let at = self.standins.iter().position(|standin| standin.name == word).unwrap_or_else(|| {
            let host = word.split_once('%').map(|(_, host)| host.split(':').next().unwrap_or(host));
            let host = host.or_else(|| property(statement, "tls_servername"));
            let speaks_tls = word.starts_with("tls://") || has(statement, "transport", "tls");
            self.standins.push(StandIn::of(word, speaks_tls.then(|| host.unwrap_or("standin.example"))));
            self.standins.len() - 1
        });
        let address = self.standins[at].address;
        match (word.strip_prefix('@'), word.strip_prefix("tls://")) {
            (Some(service), _) => {
                self.services.push(service.to_owned());
                word.to_owned()
            }
            (None, Some(secure)) => match secure.split_once('%') {
                Some((_, host)) => {
                    format!("tls://{}%{}:{}", address.ip(), host.split(':').next().unwrap_or(host), address.port())
                }
                None => format!("tls://{address}"),
            },
            (None, None) => address.to_string(),
        }
    }

    /// The line that makes a statement trust our authority, where it trusts the public ones.
    fn trust(&self, statement: &[&str]) -> String {
        let statement = whole(statement);
        let speaks_tls = has(statement, "transport", "tls") || statement[0].contains("tls://");
        let braces = statement[0].trim_end().ends_with('{');
        match speaks_tls && property(statement, "tls").is_none() {
            true if braces => format!("        tls {}\n", self.files.authority()),
            _ => String::new(),
        }
    }
}

/// The lines of a statement out of those from its first one on.
fn whole<'l, 't>(lines: &'l [&'t str]) -> &'l [&'t str] {
    let mut depth = 0usize;
    for (at, line) in lines.iter().enumerate() {
        depth += usize::from(words(line).last() == Some(&"{"));
        depth = depth.saturating_sub(usize::from(words(line).first() == Some(&"}")));
        if depth == 0 {
            return &lines[..=at];
        }
    }
    lines
}

/// The first value of a property of a statement, at any depth.
fn property<'t>(lines: &[&'t str], name: &str) -> Option<&'t str> {
    let mut lines = whole(lines).iter().map(|line| words(line));
    lines.find(|said| said.first() == Some(&name)).and_then(|said| said.get(1).copied())
}

fn has(lines: &[&str], name: &str, value: &str) -> bool {
    whole(lines).iter().any(|line| words(line).starts_with(&[name, value]))
}

/// Where a daemon is asked for a question.
pub(super) fn asked_at(
    layout: &Layout,
    scheme: &str,
    port: Option<&str>,
    server: Option<&str>,
    v6: bool,
) -> Option<SocketAddr> {
    let port = layout.port(scheme, port)?;
    let address = match server {
        Some(server) => layout.address(server)?,
        None if v6 => IpAddr::from([0, 0, 0, 0, 0, 0, 0, 1]),
        None => layout.first(),
    };
    Some(SocketAddr::new(address, port))
}
