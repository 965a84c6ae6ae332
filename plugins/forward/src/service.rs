//! A TO that names a Service: `@NAMESPACE/SERVICE[:PORT]`.

use contract::ServicePort;

/// What such a TO says, for messages.
pub(crate) const EXPECTED: &str = "`@NAMESPACE/SERVICE[:PORT]` such as `@kube-system/kube-dns`";
/// The longest label of a name (RFC 1123 2.1), octets.
const LABEL_MAX: usize = 63;
/// The longest name of a port (RFC 6335 5.1), octets.
const PORT_NAME_MAX: usize = 15;

/// Reads what follows the `@`.
pub(crate) fn parse(text: &str) -> Result<ServicePort, String> {
    let (place, port) = match text.split_once(':') {
        Some((place, port)) => (place, Some(port)),
        None => (text, None),
    };
    let Some((namespace, service)) = place.split_once('/') else {
        return Err(format!("the namespace or the Service is missing; write {EXPECTED}"));
    };
    label("namespace", namespace)?;
    label("Service", service)?;
    port.map_or(Ok(()), check_port)?;
    Ok(ServicePort { namespace: namespace.to_owned(), service: service.to_owned(), port: port.map(str::to_owned) })
}

/// A DNS label as Kubernetes wants it (RFC 1123, lower case).
fn label(what: &str, text: &str) -> Result<(), String> {
    let edge = |byte: &u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let reason = match text.as_bytes() {
        [] => format!("the {what} is missing; write {EXPECTED}"),
        bytes if bytes.len() > LABEL_MAX => format!("the {what} has {} octets; {LABEL_MAX} are possible", bytes.len()),
        bytes if bytes.iter().any(u8::is_ascii_uppercase) => format!("the {what} `{text}` is not in lower case"),
        bytes if bytes.iter().any(|byte| !edge(byte) && *byte != b'-') => {
            format!("the {what} `{text}` has other characters than `a` to `z`, `0` to `9` and `-`")
        }
        [first, .., last] if !edge(first) || !edge(last) => format!("the {what} `{text}` begins or ends with `-`"),
        [b'-'] => format!("the {what} `-` is no name"),
        _ => return Ok(()),
    };
    Err(reason)
}

/// A number, or a name (RFC 6335 5.1).
fn check_port(text: &str) -> Result<(), String> {
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    if digits {
        return match text.parse::<u16>() {
            Ok(1..) => Ok(()),
            _ => Err(format!("`{text}` is no port; a number from 1 to 65535 or a port's name is")),
        };
    }
    let is_name = (1..=PORT_NAME_MAX).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
        && text.bytes().any(|byte| byte.is_ascii_lowercase())
        && !(text.starts_with('-') || text.ends_with('-') || text.contains("--"));
    if is_name {
        Ok(())
    } else {
        Err(format!("`{text}` is no port; a number from 1 to 65535 or a name such as `dns-tcp` is"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_of_a_service() {
        for (text, namespace, service, port) in [
            ("kube-system/kube-dns", "kube-system", "kube-dns", None),
            ("dns/r", "dns", "r", None),
            ("0-a/9:53", "0-a", "9", Some("53")),
            ("a/b:65535", "a", "b", Some("65535")),
            ("a/b:dns-tcp", "a", "b", Some("dns-tcp")),
            ("a/b:53a", "a", "b", Some("53a")),
        ] {
            let read = parse(text).unwrap();
            assert_eq!((&*read.namespace, &*read.service, read.port.as_deref()), (namespace, service, port), "{text}");
            assert_eq!(read.to_string(), format!("@{text}"));
        }
        assert!(parse(&format!("{}/a", "n".repeat(63))).is_ok());
    }

    #[test]
    fn what_is_no_service_says_why() {
        for (text, reason) in [
            ("", "missing"),
            ("kube-dns", "namespace or the Service is missing"),
            ("/kube-dns", "namespace is missing"),
            ("kube-system/", "Service is missing"),
            ("Kube-system/kube-dns", "lower case"),
            ("kube-system/kube_dns", "other characters"),
            ("kube-system/kube.dns", "other characters"),
            ("a/b/c", "other characters"),
            ("-a/b", "begins or ends"),
            ("a/b-", "begins or ends"),
            ("a/-", "no name"),
            ("a/b:", "no port"),
            ("a/b:0", "no port"),
            ("a/b:65536", "no port"),
            ("a/b:99999999999999", "no port"),
            ("a/b:-dns", "no port"),
            ("a/b:dns--tcp", "no port"),
            ("a/b:DNS", "no port"),
            ("a/b:a-name-of-16-octets", "no port"),
            ("a/b:53:53", "no port"),
        ] {
            let said = parse(text).unwrap_err();
            assert!(said.contains(reason), "{text}: {said}");
        }
        assert!(parse(&format!("{}/a", "n".repeat(64))).unwrap_err().contains("64 octets"));
    }
}
