//! resolv.conf options as the kubelet merges them, and the `ndots` that a stub resolver makes of them.

use super::DnsOption;

/// What stub resolvers take `ndots` for when nothing is said (resolv.conf(5)).
const NDOTS_DEFAULT: u8 = 1;
/// glibc, musl and Go cut what is above (resolv.conf(5): silently capped).
const NDOTS_MAX: u8 = 15;
/// What an option of this meaning begins with.
const NDOTS: &str = "ndots:";

/// Puts an option in place of an equally named one; the name ends at the first colon.
pub(super) fn set(options: &mut Vec<String>, option: &str) {
    let name = split(option).0;
    options.retain(|known| split(known).0 != name);
    options.push(option.to_owned());
}

/// The options with those of a `dnsConfig` in place of equally named ones. The kubelet takes all of them apart for it, so that
/// an empty value loses its colon, and puts them together in random order; here they keep their order.
pub(super) fn merge(base: &[String], own: &[DnsOption]) -> Vec<String> {
    let mut merged: Vec<(&str, &str)> = Vec::new();
    let given = own.iter().map(|option| (option.name.as_str(), option.value.as_deref().unwrap_or_default()));
    for (name, value) in base.iter().map(|option| split(option)).chain(given) {
        merged.retain(|(known, _)| *known != name);
        merged.push((name, value));
    }
    merged
        .iter()
        .map(|(name, value)| if value.is_empty() { (*name).to_owned() } else { format!("{name}:{value}") })
        .collect()
}

/// The `ndots` of a stub resolver that reads these options; `None` if they hold what may break the line.
///
/// Stubs differ: glibc and Go take the last option that begins with `ndots:`, musl the first place of the line where these
/// letters stand; a value that is no number is 0 (glibc, Go), 15 (glibc, negative) or nothing said (musl). The smallest
/// reading is taken: too small an `ndots` lets a name go unexpanded, never wrong.
pub(super) fn ndots(options: &[String]) -> Option<u8> {
    if options.iter().any(|option| option.contains(|c: char| c.is_whitespace() || c.is_control())) {
        return None;
    }
    let smallest = options.iter().filter_map(|option| option.split_once(NDOTS)).map(|(_, value)| number(value)).min();
    let is_said = options.iter().any(|option| option.starts_with(NDOTS));
    let otherwise = if is_said { NDOTS_MAX } else { NDOTS_DEFAULT };
    Some(smallest.unwrap_or(otherwise).min(otherwise))
}

/// A value; 0 if it is no plain number that fits a C `int`, as some stub reads 0 then.
fn number(value: &str) -> u8 {
    let plain = !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_digit());
    let number = value.parse::<i32>().ok().filter(|_| plain).unwrap_or(0);
    number.min(NDOTS_MAX.into()) as u8
}

/// Name and value.
fn split(option: &str) -> (&str, &str) {
    option.split_once(':').unwrap_or((option, ""))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ndots_of(options: &[&str]) -> Option<u8> {
        ndots(&options.iter().map(|option| (*option).to_owned()).collect::<Vec<_>>())
    }

    #[test]
    fn ndots_is_the_smallest_that_a_stub_may_read() {
        for (options, expected) in [
            (&[][..], Some(1)),
            (&["rotate", "timeout:1"], Some(1)),
            (&["ndots:5"], Some(5)),
            (&["ndots:0"], Some(0)),
            (&["ndots:15"], Some(15)),
            (&["ndots:16"], Some(15)),
            (&["ndots:007"], Some(7)),
            (&["ndots:2147483647"], Some(15)),
            (&["ndots:4294967296"], Some(0)), // 0 as a C int of 32 bits
            (&["ndots"], Some(1)),
            (&["ndots:"], Some(0)),
            (&["ndots:x"], Some(0)),
            (&["ndots:-1"], Some(0)),
            (&["ndots:+5"], Some(0)),
            (&["ndots:5x"], Some(0)),
            (&["ndots:5:6"], Some(0)),
            (&["ndots:5", "ndots:3"], Some(3)),
            (&["xndots:9"], Some(1)),
            (&["xndots:9", "ndots:5"], Some(5)),
            (&["xndots:2", "ndots:5"], Some(2)),
            (&["Ndots:5"], Some(1)),
            (&["ndots:5 ndots:3"], None),
            (&["rotate\nsearch evil.example"], None),
        ] {
            assert_eq!(ndots_of(options), expected, "{options:?}");
        }
    }

    #[test]
    fn options_are_replaced_by_name() {
        let own = |name: &str, value: Option<&str>| DnsOption { name: name.into(), value: value.map(Into::into) };
        let base = ["ndots:5".to_owned(), "timeout:".to_owned(), "rotate".to_owned()];
        assert_eq!(merge(&base, &[]), ["ndots:5", "timeout", "rotate"], "an empty value loses its colon");
        assert_eq!(merge(&base, &[own("ndots", Some("2"))]), ["timeout", "rotate", "ndots:2"]);
        assert_eq!(merge(&base, &[own("ndots", None)]), ["timeout", "rotate", "ndots"]);
        assert_eq!(merge(&base[..1], &[own("ndots", Some("2")), own("ndots", Some("3"))]), ["ndots:3"]);
        assert_eq!(merge(&base[..1], &[own("ndots:4", None)]), ["ndots:5", "ndots:4"], "another name for the kubelet");
    }
}
