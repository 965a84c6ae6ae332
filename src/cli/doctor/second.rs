//! The second opinion: hickory-resolver asks one server, over UDP alone or over TCP alone.

use std::net::SocketAddr;
use std::time::Duration;

use hickory_resolver::Resolver;
use hickory_resolver::config::{ConnectionConfig, NameServerConfig, ResolveHosts, ResolverConfig, ResolverOpts};
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::net::{DnsError, NetError};
use hickory_resolver::proto::op::ResponseCode;
use hickory_resolver::proto::rr::RecordType;

use super::ask::Over;

/// One try.
const TRY_WITHIN: Duration = Duration::from_millis(1_500);
/// A question is sent again so often.
const RETRIES: usize = 1;

/// What a server said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Opinion {
    pub(super) rcode: ResponseCode,
    /// The data of the records of the type that was asked for, sorted.
    pub(super) records: Vec<String>,
}

/// Asks a server. An error says why there was no reply at all.
pub(super) async fn ask(server: SocketAddr, over: Over, name: &str, rtype: RecordType) -> Result<Opinion, String> {
    let resolver = resolver(server, over).map_err(|error| error.to_string())?;
    let absolute = format!("{}.", name.trim_end_matches('.'));
    match resolver.lookup(absolute.as_str(), rtype).await {
        Ok(found) => {
            let asked = found.answers().iter().filter(|record| record.record_type() == rtype);
            let mut records: Vec<String> = asked.map(|record| record.data.to_string().to_lowercase()).collect();
            records.sort();
            Ok(Opinion { rcode: ResponseCode::NoError, records })
        }
        Err(NetError::Dns(DnsError::NoRecordsFound(none))) => {
            Ok(Opinion { rcode: none.response_code, records: Vec::new() })
        }
        Err(NetError::Dns(DnsError::ResponseCode(rcode))) => Ok(Opinion { rcode, records: Vec::new() }),
        Err(NetError::Timeout) => Err("no reply".to_owned()),
        Err(error) => Err(error.to_string().trim_start_matches("io error: ").to_owned()),
    }
}

fn resolver(server: SocketAddr, over: Over) -> Result<Resolver<TokioRuntimeProvider>, NetError> {
    let mut connection = match over {
        Over::Udp => ConnectionConfig::udp(),
        Over::Tcp => ConnectionConfig::tcp(),
    };
    connection.port = server.port();
    let servers = vec![NameServerConfig::new(server.ip(), true, vec![connection])];
    let mut builder = Resolver::builder_with_config(
        ResolverConfig::from_parts(None, Vec::new(), servers),
        TokioRuntimeProvider::default(),
    );
    let options: &mut ResolverOpts = builder.options_mut();
    options.timeout = TRY_WITHIN;
    options.attempts = RETRIES;
    options.use_hosts_file = ResolveHosts::Never;
    options.cache_size = 0;
    options.edns0 = true;
    builder.build()
}
