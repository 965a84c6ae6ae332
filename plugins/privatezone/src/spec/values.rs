//! The values of properties, each within its bounds.

use std::time::Duration;

use contract::corefile::value;
use upstream::rustls::pki_types::ServerName;

/// Messages per second, and at once, that anybody may be sent.
const QPS_MAX: u32 = 1_000_000;
/// Questions that anybody may have outstanding with us.
const OUTSTANDING_MAX: u32 = 1_000_000;
/// The longest TTL (RFC 2181 8), seconds.
const TTL_MAX: u32 = i32::MAX.cast_unsigned();
/// The longest time that a name which has vanished keeps its last answer.
const VANISH_GRACE_MAX: Duration = Duration::from_secs(300);
/// The longest label of a name (RFC 1123 2.1), octets.
const LABEL_MAX: usize = 63;

/// Messages per second; 0: as many as there are.
pub(crate) fn per_second(text: &str) -> Result<u32, String> {
    whole(text, 0, QPS_MAX)
}

/// Messages at once.
pub(crate) fn burst(text: &str) -> Result<u32, String> {
    whole(text, 1, QPS_MAX)
}

/// Questions outstanding; 0: as many as there are.
pub(crate) fn outstanding(text: &str) -> Result<usize, String> {
    whole(text, 0, OUTSTANDING_MAX).map(|count| usize::try_from(count).expect("it has 32 bits"))
}

/// A whole number of this range, which is told whatever else was written, a sign too.
fn whole(text: &str, least: u32, most: u32) -> Result<u32, String> {
    let number = value::number_in(i128::from(least)..=i128::from(most))(text)?;
    Ok(u32::try_from(number).expect("it lies between two of 32 bits"))
}

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
