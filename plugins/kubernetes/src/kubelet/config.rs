//! The kubelet's configuration file, as far as it decides about pods' resolv.conf (KubeletConfiguration v1beta1).

use std::path::{Path, PathBuf};

use contract::limits::NODE_FILE_MAX;
use serde::Deserialize;

use super::host::read_bounded;

/// The host's file when nothing is said.
const RESOLV_CONF: &str = "/etc/resolv.conf";

/// What the file says. The kubelet's command line and its directory of additions may say otherwise, and win; they are not seen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct KubeletConfig {
    /// `clusterDomain`, as it stands there; `None`: absent or empty.
    pub(crate) cluster_domain: Option<String>,
    /// `resolvConf`; absent: the kubelet's default; `None`: empty, so it uses no file.
    pub(crate) resolv_conf: Option<PathBuf>,
    /// `clusterDNS` names a server. Where neither it nor the command line does, pods that would use the cluster's DNS have the
    /// host's list.
    pub(crate) cluster_dns: bool,
}

/// The file is there, and says nothing that can be understood.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}:{line}:{column}: {reason}", path.display())]
pub(crate) struct ConfigProblem {
    path: PathBuf,
    /// From 1.
    line: u64,
    /// From 1.
    column: u64,
    reason: String,
}

/// The file in its own words.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Words {
    kind: Option<String>,
    cluster_domain: Option<String>,
    resolv_conf: Option<String>,
    #[serde(rename = "clusterDNS")]
    cluster_dns: Option<Vec<String>>,
}

impl KubeletConfig {
    /// Reads the file. One that is not there, or that may not be read, is none: most nodes let nobody read it.
    pub(crate) fn read(path: &Path) -> Result<Option<Self>, ConfigProblem> {
        match read_bounded(path) {
            Ok(Some(text)) => Self::parse(path, &String::from_utf8_lossy(&text)).map(Some),
            Ok(None) => Err(ConfigProblem::at_start(path, format!("larger than {NODE_FILE_MAX} octets"))),
            Err(_) => Ok(None),
        }
    }

    /// Reads the text, YAML or JSON; the path is for messages.
    pub(crate) fn parse(path: &Path, text: &str) -> Result<Self, ConfigProblem> {
        // as lenient as the kubelet: it takes a file with keys that stand twice, and with keys that it does not know
        let lenient = serde_saphyr::options! {
            duplicate_keys: serde_saphyr::DuplicateKeyPolicy::LastWins,
            with_snippet: false,
        };
        let words: Words = serde_saphyr::from_str_with_options(text, lenient).map_err(|error| {
            let place = error.location();
            ConfigProblem {
                path: path.to_owned(),
                line: place.as_ref().map_or(1, serde_saphyr::Location::line),
                column: place.as_ref().map_or(1, serde_saphyr::Location::column),
                reason: error.to_string(),
            }
        })?;
        if words.kind.as_deref() != Some("KubeletConfiguration") {
            return Err(ConfigProblem::at_start(path, "no `kind: KubeletConfiguration` in it".to_owned()));
        }
        let resolv_conf = words.resolv_conf.unwrap_or_else(|| RESOLV_CONF.to_owned());
        Ok(Self {
            cluster_domain: words.cluster_domain.filter(|domain| !domain.is_empty()),
            resolv_conf: Some(PathBuf::from(resolv_conf)).filter(|path| !path.as_os_str().is_empty()),
            cluster_dns: words.cluster_dns.is_some_and(|servers| !servers.is_empty()),
        })
    }
}

impl ConfigProblem {
    fn at_start(path: &Path, reason: String) -> Self {
        Self { path: path.to_owned(), line: 1, column: 1, reason }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<KubeletConfig, String> {
        KubeletConfig::parse(Path::new("config.yaml"), text).map_err(|problem| problem.to_string())
    }

    fn config(cluster_domain: Option<&str>, resolv_conf: Option<&str>, cluster_dns: bool) -> KubeletConfig {
        let cluster_domain = cluster_domain.map(Into::into);
        KubeletConfig { cluster_domain, resolv_conf: resolv_conf.map(Into::into), cluster_dns }
    }

    #[test]
    fn what_kubeadm_writes() {
        let text = "\
apiVersion: kubelet.config.k8s.io/v1beta1
authentication:
  anonymous:
    enabled: false
  x509:
    clientCAFile: /etc/kubernetes/pki/ca.crt
cgroupDriver: systemd
clusterDNS:
- 10.96.0.10
clusterDomain: cluster.local
containerRuntimeEndpoint: \"\"
cpuManagerReconcilePeriod: 0s
imageMaximumGCAge: 0s
kind: KubeletConfiguration
logging:
  flushFrequency: 0
  options:
    json:
      infoBufferSize: \"0\"
  verbosity: 0
memorySwap: {}
resolvConf: /run/systemd/resolve/resolv.conf
rotateCertificates: true
staticPodPath: /etc/kubernetes/manifests
";
        let expected = config(Some("cluster.local"), Some("/run/systemd/resolve/resolv.conf"), true);
        assert_eq!(parse(text), Ok(expected));
    }

    #[test]
    fn json_absent_and_empty_fields() {
        let json = "{\n  \"kind\": \"KubeletConfiguration\",\n  \"clusterDomain\": \"corp.example\",\n  \"resolvConf\": \"\"\n}\n";
        assert_eq!(parse(json), Ok(config(Some("corp.example"), None, false)));
        let tabs = "{\n\t\"kind\": \"KubeletConfiguration\",\n\t\"clusterDNS\": [\"10.0.0.10\"]\n}\n";
        assert_eq!(parse(tabs), Ok(config(None, Some("/etc/resolv.conf"), true)));
        assert_eq!(parse("kind: KubeletConfiguration\n"), Ok(config(None, Some("/etc/resolv.conf"), false)));
        let empty = "kind: KubeletConfiguration\nclusterDomain: \"\"\nclusterDNS: []\nresolvConf: \"\"\n";
        assert_eq!(parse(empty), Ok(config(None, None, false)));
        let nulls = "kind: KubeletConfiguration\nclusterDomain: null\nclusterDNS:\nresolvConf: ~\n";
        assert_eq!(parse(nulls), Ok(config(None, Some("/etc/resolv.conf"), false)));
        let twice = "kind: KubeletConfiguration\nclusterDomain: a\nclusterDomain: b\nmaxPods: 1\nmaxPods: 2\n";
        assert_eq!(parse(twice), Ok(config(Some("b"), Some("/etc/resolv.conf"), false)));
    }

    #[test]
    fn a_broken_file_is_located() {
        for (text, place) in [
            ("kind: KubeletConfiguration\nclusterDNS:\n- a\n  b: c\n- [\n", "config.yaml:4:4: "),
            ("kind: KubeletConfiguration\nclusterDomain:\n  a: b\n", "config.yaml:3:3: "),
            ("kind: KubeProxyConfiguration\nclusterDomain: a\n", "config.yaml:1:1: no `kind: KubeletConfiguration`"),
            ("kind: Pod\n---\nkind: KubeletConfiguration\n", "config.yaml:"),
            ("", "config.yaml:1:1: "),
            ("just words\n", "config.yaml:1:1: "),
        ] {
            let problem = parse(text).unwrap_err();
            assert!(problem.starts_with(place), "{text:?}: {problem}");
            assert_eq!(problem.lines().count(), 1, "a line of the log: {problem}");
        }
    }

    #[test]
    fn a_file_that_cannot_be_read_is_none() {
        let path = std::env::temp_dir().join(format!("nearpath-kubelet-{}", std::process::id()));
        assert_eq!(KubeletConfig::read(&path), Ok(None));
        assert_eq!(KubeletConfig::read(&std::env::temp_dir()), Ok(None), "a directory");
        std::fs::write(&path, "kind: KubeletConfiguration\nclusterDomain: d\n").unwrap();
        assert_eq!(KubeletConfig::read(&path).unwrap().unwrap().cluster_domain.as_deref(), Some("d"));
        std::fs::write(&path, "#".repeat(NODE_FILE_MAX + 1)).unwrap();
        assert!(KubeletConfig::read(&path).unwrap_err().to_string().contains("larger than"));
        std::fs::remove_file(&path).unwrap();
    }
}
