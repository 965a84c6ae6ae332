//! The two configurations of the demo, which differ in `autopath` alone, and the ports they are served on.

use std::io;
use std::net::{SocketAddr, TcpListener, UdpSocket};
use std::path::Path;

use super::LOOPBACK;

/// A Corefile in the layout of a node's cache: the cluster's names in a block of their own. `pods` is the table that `autopath`
/// reads; without it there is no `autopath`.
pub(super) fn corefile(port: u16, centre: SocketAddr, pods: Option<&Path>) -> String {
    let autopath =
        pods.map(|table| format!("    autopath {{\n        pods {}\n    }}\n", word(table))).unwrap_or_default();
    let forward = format!("    forward . {centre} {{\n        force_tcp\n    }}\n");
    format!(
        "cluster.local:{port} {{\n    bind {LOOPBACK}\n{autopath}    cache {{\n        success 9984 30\n        denial 9984 5\n    }}\n\
         {forward}}}\n.:{port} {{\n    bind {LOOPBACK}\n    cache 30\n{forward}}}\n"
    )
}

/// A path as one word of a Corefile.
fn word(path: &Path) -> String {
    format!("\"{}\"", path.display().to_string().replace('"', "\\\""))
}

/// Ports of [`LOOPBACK`] that are free for UDP and TCP: the preferred ones where possible, each different. They are free again
/// when this returns, for the daemons to take.
pub(super) fn free_ports<const N: usize>(preferred: [u16; N]) -> io::Result<[u16; N]> {
    const ATTEMPTS: usize = 16;
    let mut held = Vec::new();
    let mut ports = [0; N];
    for (port, preferred) in ports.iter_mut().zip(preferred) {
        let mut candidates = [preferred].into_iter().chain(std::iter::repeat_n(0, ATTEMPTS));
        let sockets = candidates.find_map(|candidate| hold(candidate).ok());
        let sockets = sockets
            .ok_or_else(|| io::Error::new(io::ErrorKind::AddrInUse, format!("no port of {LOOPBACK} is free")))?;
        *port = sockets.0.local_addr()?.port();
        held.push(sockets);
    }
    Ok(ports)
}

fn hold(port: u16) -> io::Result<(TcpListener, UdpSocket)> {
    let tcp = TcpListener::bind((LOOPBACK, port))?;
    let udp = UdpSocket::bind(tcp.local_addr()?)?;
    Ok((tcp, udp))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_two_configurations_differ_in_autopath_alone() {
        let centre = (LOOPBACK, 5353).into();
        let plain = corefile(5300, centre, None);
        let walking = corefile(5300, centre, Some(Path::new("/tmp/demo/pods")));
        assert_eq!(walking.replace("    autopath {\n        pods \"/tmp/demo/pods\"\n    }\n", ""), plain);
        assert_ne!(walking, plain);
        assert!(plain.contains("forward . 127.0.0.1:5353 {\n        force_tcp"), "{plain}");
        assert_eq!(plain.matches("5300 {\n    bind 127.0.0.1\n").count(), 2, "{plain}");
    }

    #[test]
    fn a_path_with_blanks_and_quotes_is_one_word() {
        assert_eq!(word(Path::new("/tmp/my \"own\" dir/pods")), r#""/tmp/my \"own\" dir/pods""#);
    }

    #[test]
    fn a_port_in_use_is_replaced_by_another() {
        let (tcp, _udp) = hold(0).unwrap();
        let taken = tcp.local_addr().unwrap().port();
        let [one, two] = free_ports([taken, taken]).unwrap();
        assert!(![0, taken].contains(&one) && ![0, taken, one].contains(&two), "{taken}: {one}, {two}");
        // and they can be had
        hold(one).unwrap();
        hold(two).unwrap();
    }
}
