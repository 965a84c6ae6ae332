//! Where a collector listens, as the Corefile may write it.

use std::fmt;

use http::Uri;

/// The URL that spans are sent to: plain HTTP.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Address(String);

/// What stands for it in a Corefile.
pub(crate) const EXPECTED: &str = "a collector such as `localhost:4318` or `http://HOST:PORT/PATH`";

/// The port and path of OTLP over HTTP.
const PORT: u16 = 4_318;
const PATH: &str = "/v1/traces";

impl Default for Address {
    fn default() -> Self {
        Self(format!("http://localhost:{PORT}{PATH}"))
    }
}

impl Address {
    /// Reads `[http://]HOST[:PORT][/PATH]`.
    ///
    /// # Errors
    /// Says what is wrong with it.
    pub fn parse(text: &str) -> Result<Self, String> {
        let rest = match text.split_once("://") {
            None => text,
            Some(("http", rest)) => rest,
            Some(("https", _)) => {
                return Err("spans go over plain HTTP; let a collector on the node hand them on over TLS".to_owned());
            }
            Some((scheme, _)) => return Err(format!("spans do not go over `{scheme}`")),
        };
        let uri: Uri = format!("http://{rest}").parse().map_err(|error| format!("{error}"))?;
        let authority = uri.authority().ok_or("no host")?;
        if authority.as_str().contains('@') {
            return Err(
                "names and passwords do not stand here; `OTEL_EXPORTER_OTLP_HEADERS` may hold a header".to_owned()
            );
        }
        let host = authority.host();
        let has_port = authority.as_str().len() > host.len();
        let port = match authority.port_u16() {
            Some(0) => return Err("`0` is no port".to_owned()),
            None if has_port => return Err(format!("`{}` is no port", &authority.as_str()[host.len() + 1..])),
            port => port.unwrap_or(PORT),
        };
        if host.is_empty() {
            return Err("no host".to_owned());
        }
        let path = uri.path_and_query().map_or("/", |path| path.as_str());
        Ok(Self(format!("http://{host}:{port}{}", if path == "/" { PATH } else { path })))
    }

    /// True if it is where Zipkin takes spans in its own format.
    pub(crate) fn is_zipkins(&self) -> bool {
        self.0.contains(":9411/") || self.0.ends_with("/spans")
    }

    /// As a URL.
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_out_is_as_the_protocol_has_it() {
        for (text, url) in [
            ("localhost", "http://localhost:4318/v1/traces"),
            ("collector.example.com:9999", "http://collector.example.com:9999/v1/traces"),
            ("http://10.0.0.1", "http://10.0.0.1:4318/v1/traces"),
            ("http://10.0.0.1:80/", "http://10.0.0.1:80/v1/traces"),
            ("http://[2001:db8::1]:80/otlp/v1/traces", "http://[2001:db8::1]:80/otlp/v1/traces"),
        ] {
            assert_eq!(Address::parse(text).unwrap().as_str(), url, "{text}");
        }
        assert_eq!(Address::parse("localhost").unwrap(), Address::default());
    }

    #[test]
    fn what_is_no_collector_says_why() {
        for (text, why) in [
            ("https://collector:4318", "plain HTTP"),
            ("grpc://collector:4317", "do not go over `grpc`"),
            ("http://user:secret@collector", "names and passwords"),
            ("collector:0", "`0` is no port"),
            ("collector:99999", "port"),
            ("http://", ""),
            ("a b", ""),
        ] {
            let error = Address::parse(text).unwrap_err();
            assert!(error.contains(why), "{text}: {error}");
        }
    }

    #[test]
    fn zipkins_own_addresses_are_known() {
        for (text, is_zipkins) in
            [("localhost:9411", true), ("http://tracinghost:80/zipkin/api/v2/spans", true), ("localhost:4318", false)]
        {
            assert_eq!(Address::parse(text).unwrap().is_zipkins(), is_zipkins, "{text}");
        }
    }
}
