//! The base Corefile's placeholders. Lines stay where they are, so that an error's place is one in the base Corefile; the
//! blocks of stub domains come behind its end.

use std::fmt::Write as _;
use std::net::IpAddr;

use super::config_map::ConfigMap;

const CLUSTER_DNS: &str = "__PILLAR__CLUSTER__DNS__";
const UPSTREAM_SERVERS: &str = "__PILLAR__UPSTREAM__SERVERS__";
const LOCAL_DNS: &str = "__PILLAR__LOCAL__DNS__";
const DNS_SERVER: &str = "__PILLAR__DNS__SERVER__";
const DNS_DOMAIN: &str = "__PILLAR__DNS__DOMAIN__";
const PROMETHEUS: &str = "__PROMETHEUS__ENDPOINT__";
/// How long answers of a stub domain are memorised at most, seconds (node-cache's own figure).
const STUB_DOMAIN_CACHE: u32 = 30;

/// What stands for the placeholders.
#[derive(Clone, Debug)]
pub struct Values {
    /// `__PILLAR__LOCAL__DNS__`: every address that pods ask.
    pub local: Vec<IpAddr>,
    /// The port of stub domains.
    pub port: u16,
    /// `__PILLAR__CLUSTER__DNS__`: the central Service's address, or why it is not known.
    pub cluster_dns: Result<IpAddr, String>,
    /// `__PILLAR__DNS__DOMAIN__`: left in only if the installer did not fill it in.
    pub cluster_domain: String,
    /// `__PROMETHEUS__ENDPOINT__`.
    pub prometheus: String,
}

impl Default for Values {
    fn default() -> Self {
        Self {
            local: Vec::new(),
            port: 53,
            cluster_dns: Err("it was not said".to_owned()),
            cluster_domain: "cluster.local".to_owned(),
            prometheus: ":9253".to_owned(),
        }
    }
}

/// A base Corefile with its placeholders filled in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rendered {
    /// The text.
    pub text: String,
    /// Each begins with its line and `: `.
    pub warnings: Vec<String>,
}

/// A placeholder without a value.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("{line}: {placeholder} has no value: {reason}")]
pub struct RenderError {
    line: usize,
    placeholder: &'static str,
    reason: String,
}

/// Fills the placeholders in.
///
/// # Errors
/// One has no value.
pub fn render(base: &str, values: &Values, config_map: &ConfigMap) -> Result<Rendered, RenderError> {
    let without = |placeholder, reason: &str| match line_of(base, placeholder) {
        Some(line) => Err(RenderError { line, placeholder, reason: reason.to_owned() }),
        None => Ok(()),
    };
    if let Err(reason) = &values.cluster_dns {
        without(CLUSTER_DNS, reason)?;
    }
    if values.local.is_empty() {
        without(LOCAL_DNS, "no address is given by -localip")?;
    }
    let mut warnings = Vec::new();
    if let Some(line) = line_of(base, DNS_DOMAIN) {
        warnings.push(format!("{line}: {DNS_DOMAIN} was left in; taken for {}", values.cluster_domain));
    }
    let local = values.local.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ");
    let mut text = match config_map.upstream_nameservers.as_slice() {
        [] => base.replace(UPSTREAM_SERVERS, "/etc/resolv.conf"),
        // somebody else's servers are asked over UDP, as node-cache does it: TCP is often not open to them
        servers => without_tcp(base).replace(UPSTREAM_SERVERS, &servers.join(" ")),
    };
    if let Ok(address) = &values.cluster_dns {
        text = text.replace(CLUSTER_DNS, &address.to_string());
    }
    text = text.replace(LOCAL_DNS, &local).replace(DNS_SERVER, "");
    text = text.replace(DNS_DOMAIN, &values.cluster_domain).replace(PROMETHEUS, &values.prometheus);
    if !config_map.stub_domains.is_empty() && !text.ends_with('\n') {
        text.push('\n');
    }
    for (domain, servers) in &config_map.stub_domains {
        let servers = servers.join(" ");
        let bind = if local.is_empty() { String::new() } else { format!("    bind {local}\n") };
        write!(
            text,
            "{domain}:{port} {{\n    errors\n    cache {STUB_DOMAIN_CACHE}\n{bind}    forward . {servers}\n}}\n",
            port = values.port
        )
        .expect("a String takes everything");
    }
    Ok(Rendered { text, warnings })
}

/// The first line with a placeholder that is no comment.
fn line_of(text: &str, placeholder: &str) -> Option<usize> {
    let code = |line: &str| line.split('#').next().unwrap_or_default().contains(placeholder);
    text.lines().position(code).map(|index| index + 1)
}

/// Takes `{ force_tcp }` from the `forward` to the upstream servers, if nothing else stands there. Lines stay where they are.
fn without_tcp(base: &str) -> String {
    let mut text = String::new();
    let mut rest = base;
    while let Some(at) = rest.find(UPSTREAM_SERVERS) {
        let (before, behind) = rest.split_at(at + UPSTREAM_SERVERS.len());
        text.push_str(before);
        rest = behind;
        if let Some(length) = only_force_tcp(behind) {
            text.extend(behind[..length].chars().filter(|&c| c == '\n'));
            rest = &behind[length..];
        }
    }
    text + rest
}

/// How long a body is that says `force_tcp` and nothing else.
fn only_force_tcp(behind: &str) -> Option<usize> {
    let inside = behind.trim_start_matches([' ', '\t']).strip_prefix('{')?.trim_start();
    let end = inside.strip_prefix("force_tcp")?.trim_start().strip_prefix('}')?;
    Some(behind.len() - end.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn values() -> Values {
        Values {
            local: vec!["169.254.20.10".parse().unwrap(), "fd00::53".parse().unwrap()],
            cluster_dns: Ok("10.96.0.11".parse().unwrap()),
            ..Values::default()
        }
    }

    #[test]
    fn every_placeholder_is_filled_in() {
        let base = "__PILLAR__DNS__DOMAIN__:53 {\n bind __PILLAR__LOCAL__DNS__ __PILLAR__DNS__SERVER__\n forward . __PILLAR__CLUSTER__DNS__ {\n  force_tcp\n }\n prometheus __PROMETHEUS__ENDPOINT__\n}\n.:53 {\n forward . __PILLAR__UPSTREAM__SERVERS__\n}\n";
        let rendered = render(base, &values(), &ConfigMap::default()).unwrap();
        assert!(!rendered.text.contains("__"), "{}", rendered.text);
        for part in [
            "cluster.local:53 {",
            "bind 169.254.20.10 fd00::53 \n",
            "forward . 10.96.0.11 {\n  force_tcp",
            "prometheus :9253",
            "forward . /etc/resolv.conf\n",
        ] {
            assert!(rendered.text.contains(part), "{part}: {}", rendered.text);
        }
        assert_eq!(rendered.warnings, ["1: __PILLAR__DNS__DOMAIN__ was left in; taken for cluster.local"]);
    }

    #[test]
    fn stub_domains_come_behind_the_end_and_upstreams_are_asked_over_udp() {
        let base =
            ".:53 {\n    forward . __PILLAR__UPSTREAM__SERVERS__ {\n            force_tcp\n    }\n    cache 30\n}";
        let config_map = ConfigMap {
            stub_domains: [("corp.example".to_owned(), vec!["10.0.0.53".to_owned(), "10.0.0.54:5353".to_owned()])]
                .into(),
            upstream_nameservers: vec!["192.0.2.1".to_owned()],
        };
        let text = render(base, &values(), &config_map).unwrap().text;
        assert_eq!(
            text,
            ".:53 {\n    forward . 192.0.2.1\n\n\n    cache 30\n}\ncorp.example:53 {\n    errors\n    cache 30\n    bind 169.254.20.10 fd00::53\n    forward . 10.0.0.53 10.0.0.54:5353\n}\n"
        );
        let with_more = base.replace("force_tcp", "force_tcp\n max_fails 1");
        assert!(
            render(&with_more, &values(), &config_map).unwrap().text.contains("force_tcp"),
            "only a lone one is taken away"
        );
    }

    #[test]
    fn a_placeholder_without_a_value_is_told_with_its_line() {
        let unknown = Values { cluster_dns: Err("no $KUBE_DNS_SERVICE_HOST".to_owned()), ..values() };
        let error = render(
            "# __PILLAR__CLUSTER__DNS__\n.:53 {\n forward . __PILLAR__CLUSTER__DNS__\n}",
            &unknown,
            &ConfigMap::default(),
        )
        .unwrap_err();
        assert_eq!(error.to_string(), "3: __PILLAR__CLUSTER__DNS__ has no value: no $KUBE_DNS_SERVICE_HOST");
        assert!(render(".:53 {\n whoami\n}", &unknown, &ConfigMap::default()).is_ok());
        let nowhere = Values { local: Vec::new(), ..values() };
        assert!(render("bind __PILLAR__LOCAL__DNS__", &nowhere, &ConfigMap::default()).is_err());
    }
}
