//! The way to the API server: where it is, with which credentials, one request at a time.

use std::path::{Path, PathBuf};
use std::sync::Once;
use std::time::Duration;

use contract::Boxed;
use http::Uri;
use kube::Client;
use kube::client::Body;
use kube::config::{Config, KubeConfigOptions, Kubeconfig};

use crate::lines;
use crate::settings::Settings;
use crate::trouble::Trouble;
use crate::words;

/// A connection, TLS included.
const CONNECT_WITHIN: Duration = Duration::from_secs(5);
/// The head of a reply.
const REPLY_WITHIN: Duration = Duration::from_secs(30);
/// A refusal's text.
const REFUSAL_MAX: usize = 64 << 10;

/// A whole reply that somebody reads at once.
const REPLY_MAX: usize = 16 << 20;

/// Asks the API server once, as a watch would, and gives the reply. For who looks at it from outside of a daemon.
///
/// # Errors
/// What became of the request, in words, with what to look at.
pub async fn fetch(settings: &Settings, path: &str) -> Result<Vec<u8>, String> {
    Api::is_known(settings)?;
    let body = Api::new(settings).request(path).await.map_err(|trouble| trouble.to_string())?;
    lines::whole(body, REPLY_MAX).await.map_err(|trouble| trouble.to_string())
}

/// Takes requests to the API server. A trait, so that a thousand nodes can be simulated.
pub(crate) trait Transport: Send + Sync + 'static {
    /// The body of a reply with status 200.
    fn get<'a>(&'a mut self, path: &'a str) -> Boxed<'a, Result<Body, Trouble>>;

    /// Whether somebody accepts connections there; no request is sent.
    fn is_reachable(&mut self) -> Boxed<'_, bool>;

    /// True if the credentials are others than at the last request.
    fn has_new_credentials(&self) -> bool;
}

/// The API server as the settings name it. Credentials are read anew after each failure.
#[derive(Debug)]
pub(crate) struct Api {
    settings: Settings,
    open: Option<Open>,
    /// The files of credentials as they were when they were read last.
    files: Stamps,
}

/// A client, and whom it asks.
struct Open {
    client: Client,
    uri: Uri,
}

impl std::fmt::Debug for Open {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Open").field("uri", &self.uri).finish_non_exhaustive()
    }
}

/// When each file of credentials was written.
type Stamps = Vec<(PathBuf, Option<std::time::SystemTime>)>;

impl Api {
    /// Nothing is read or opened yet.
    pub(crate) fn new(settings: &Settings) -> Self {
        Self { settings: settings.clone(), open: None, files: Vec::new() }
    }

    /// What is missing for there ever to be an API server.
    pub(crate) fn is_known(settings: &Settings) -> Result<(), String> {
        let in_pod = settings.environment.contains_key("KUBERNETES_SERVICE_HOST");
        match in_pod || settings.kubeconfig.is_some() {
            true => Ok(()),
            false => {
                Err("no API server is known: KUBERNETES_SERVICE_HOST is not set, as it is in a pod, and no file is \
                          named with -kubeconfig"
                    .to_owned())
            }
        }
    }

    async fn open(&mut self) -> Result<&Open, Trouble> {
        if self.open.is_none() {
            // looked at before they are read: what is written meanwhile is seen as new
            self.files = stamps(self.settings.kubeconfig.iter().cloned());
            let (config, authorities) = config(&self.settings).await.map_err(Trouble::Credentials)?;
            self.files.extend(stamps(files(&config).into_iter().chain(authorities)));
            let uri = config.cluster_url.clone();
            warn_of_name(&uri);
            // a kubeconfig may name a program that has to be run first
            let client = tokio::task::spawn_blocking(move || Client::try_from(config));
            let client = tokio::time::timeout(REPLY_WITHIN, client).await.map_err(|_| Trouble::Silent(REPLY_WITHIN))?;
            let client = client.map_err(|error| Trouble::Credentials(error.to_string()))?;
            let client = client.map_err(|error| Trouble::Credentials(chain(&error)))?;
            self.open = Some(Open { client, uri });
        }
        Ok(self.open.as_ref().expect("it was just made"))
    }

    async fn request(&mut self, path: &str) -> Result<Body, Trouble> {
        let request = http::Request::get(path).header(http::header::ACCEPT, "application/json");
        let request = request.body(Body::empty()).map_err(|error| Trouble::Nonsense(error.to_string()))?;
        let reply = tokio::time::timeout(REPLY_WITHIN, self.open().await?.client.send(request)).await;
        let reply = reply.map_err(|_| Trouble::Silent(REPLY_WITHIN))?;
        let reply = reply.map_err(|error| unanswered(chain(&error)))?;
        let status = reply.status().as_u16();
        if status == 200 {
            return Ok(reply.into_body());
        }
        let after = reply.headers().get(http::header::RETRY_AFTER);
        let after = after.and_then(|after| after.to_str().ok()?.trim().parse().ok());
        let said = tokio::time::timeout(REPLY_WITHIN, lines::whole(reply.into_body(), REFUSAL_MAX)).await;
        Err(words::refusal(status, after, &said.ok().and_then(Result::ok).unwrap_or_default()))
    }
}

impl Transport for Api {
    fn get<'a>(&'a mut self, path: &'a str) -> Boxed<'a, Result<Body, Trouble>> {
        Box::pin(async move {
            let reply = self.request(path).await;
            if reply.is_err() {
                self.open = None; // certificates and tokens may have been replaced
            }
            reply
        })
    }

    fn is_reachable(&mut self) -> Boxed<'_, bool> {
        Box::pin(async move {
            let Ok(open) = self.open().await else { return false };
            let host = open.uri.host().unwrap_or_default().trim_matches(['[', ']']).to_owned();
            let port = open.uri.port_u16().unwrap_or(if open.uri.scheme_str() == Some("http") { 80 } else { 443 });
            let connect = tokio::net::TcpStream::connect((host, port));
            let reachable = matches!(tokio::time::timeout(CONNECT_WITHIN, connect).await, Ok(Ok(_)));
            if reachable {
                self.open = None; // they may have been replaced while nobody was there
            }
            reachable
        })
    }

    fn has_new_credentials(&self) -> bool {
        self.files != stamps(self.files.iter().map(|(path, _)| path.clone()))
    }
}

/// A name is looked up by the system's resolver, which may be us. Said once.
fn warn_of_name(uri: &Uri) {
    static SAID: Once = Once::new();
    let host = uri.host().unwrap_or_default().trim_matches(['[', ']']);
    if host.parse::<std::net::IpAddr>().is_err() {
        SAID.call_once(|| {
            tracing::warn!(
                "kubernetes: the API server is named by a host name, {host}, which the system's resolver looks up; if that \
                 is nearpath, name an address with -api-server"
            );
        });
    }
}

/// Why there was no answer.
fn unanswered(said: String) -> Trouble {
    match said.contains("certificate") || said.contains("fatal alert") {
        true => Trouble::Distrusted(said),
        false => Trouble::Unreachable(said),
    }
}

/// Address and credentials, and the files with authorities that a kubeconfig names. No name is looked up here.
async fn config(settings: &Settings) -> Result<(Config, Vec<PathBuf>), String> {
    let (mut config, authorities) = match &settings.kubeconfig {
        Some(path) => from_file(path, settings.context.clone()).await?,
        None => (Config::incluster_env().map_err(|error| chain(&error))?, Vec::new()),
    };
    if let Some(uri) = &settings.api_server {
        config.cluster_url = uri.clone();
    }
    config.connect_timeout = Some(CONNECT_WITHIN);
    config.default_retry = false; // when to ask again is decided here alone
    Ok((config, authorities))
}

async fn from_file(path: &Path, context: Option<String>) -> Result<(Config, Vec<PathBuf>), String> {
    let said = |error: &dyn std::error::Error| format!("{}: {}", path.display(), chain(error));
    let file = Kubeconfig::read_from(path).map_err(|error| said(&error))?;
    let clusters = || file.clusters.iter().flat_map(|named| &named.cluster);
    let names_proxy = clusters().any(|cluster| cluster.proxy_url.is_some());
    let authorities = clusters().flat_map(|cluster| &cluster.certificate_authority).map(PathBuf::from).collect();
    let options = KubeConfigOptions { context, ..KubeConfigOptions::default() };
    let mut config = Config::from_custom_kubeconfig(file, &options).await.map_err(|error| said(&error))?;
    if !names_proxy {
        config.proxy_url = None; // a node's HTTPS_PROXY is for what lies outside the cluster, and mostly needs a look-up
    }
    Ok((config, authorities))
}

/// The files that credentials come from, the kubeconfig apart.
fn files(config: &Config) -> Vec<PathBuf> {
    let auth = &config.auth_info;
    let named = [&auth.token_file, &auth.client_certificate, &auth.client_key];
    let named = named.into_iter().flatten().map(PathBuf::from);
    config.root_cert_file.clone().into_iter().chain(named).collect()
}

/// When they were written last.
fn stamps(files: impl IntoIterator<Item = PathBuf>) -> Stamps {
    let written = |path: &Path| std::fs::metadata(path).and_then(|metadata| metadata.modified()).ok();
    files
        .into_iter()
        .map(|path| {
            let at = written(&path);
            (path, at)
        })
        .collect()
}

/// An error with its causes, each said once.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string().trim_start_matches("ServiceError: ").to_owned();
    let mut cause = error.source();
    while let Some(inner) = cause {
        let said = inner.to_string();
        if !text.contains(&said) {
            text = format!("{text}: {said}");
        }
        cause = inner.source();
    }
    text
}
