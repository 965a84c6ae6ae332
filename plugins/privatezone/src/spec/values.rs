//! The values of properties, each within its bounds.

use std::time::Duration;

use contract::corefile::value;
use upstream::rustls::pki_types::ServerName;

/// Questions per second, and at once, that anybody may be asked.
pub(crate) const QPS_MAX: u32 = 1_000_000;
/// The longest TTL (RFC 2181 8), seconds.
const TTL_MAX: u32 = i32::MAX.cast_unsigned();
/// The longest time that a name which has vanished keeps its last answer.
const VANISH_GRACE_MAX: Duration = Duration::from_secs(300);
/// The longest label of a name (RFC 1123 2.1), octets.
const LABEL_MAX: usize = 63;

/// A TTL, seconds.
pub(crate) fn ttl(text: &str) -> Result<u32, String> {
    let duration = value::duration(text)?;
    if duration.subsec_nanos() > 0 {
        return Err("TTLs are whole seconds".to_owned());
    }
    u32::try_from(duration.as_secs())
        .ok()
        .filter(|seconds| *seconds <= TTL_MAX)
        .ok_or_else(|| format!("a TTL of more than {TTL_MAX} s"))
}

/// A TTL of a second at least.
pub(crate) fn positive_ttl(text: &str) -> Result<u32, String> {
    match ttl(text)? {
        0 => Err("nothing could be memorised".to_owned()),
        seconds => Ok(seconds),
    }
}

/// How long a name that has vanished keeps its last answer.
pub(crate) fn grace(text: &str) -> Result<Duration, String> {
    match value::duration(text)? {
        longer if longer > VANISH_GRACE_MAX => {
            Err(format!("a name that is gone would be there for more than {} s", VANISH_GRACE_MAX.as_secs()))
        }
        grace => Ok(grace),
    }
}

/// The name that a certificate must be for.
pub(crate) fn server_name(text: &str) -> Result<ServerName<'static>, String> {
    ServerName::try_from(text.to_owned()).map_err(|_| format!("`{text}` is no name of a server"))
}

/// A namespace as Kubernetes wants it (RFC 1123, lower case).
pub(crate) fn namespace(text: &str) -> Result<String, String> {
    let edge = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let bytes = text.as_bytes();
    let (first, last) = (bytes.first().copied().unwrap_or(b'-'), bytes.last().copied().unwrap_or(b'-'));
    if bytes.len() > LABEL_MAX {
        return Err(format!("a namespace of {} octets; {LABEL_MAX} are possible", bytes.len()));
    }
    match edge(first) && edge(last) && bytes.iter().all(|byte| edge(*byte) || *byte == b'-') {
        true => Ok(text.to_owned()),
        false => Err("a namespace has `a` to `z`, `0` to `9`, and `-` within".to_owned()),
    }
}
