//! What the kernel has of the rules of a name, for whoever looks at them from outside of the daemon that made them.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use serde_json::Value;

use super::iptables::all_iptables;
use super::wanted::Family;
use super::{Rules, RulesError, chains, look, nft, table, table_name};

/// What there is of a name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Told {
    /// Rules in tables of nftables.
    pub rules: usize,
    /// Chains of those tables without a rule, which the daemon never leaves so.
    pub empty: Vec<String>,
    /// The addresses that those rules are for.
    pub own: Vec<Element>,
    /// Those whose questions the kernel itself sends on.
    pub stand_in: Vec<Element>,
    /// The servers that it sends them to, by nftables or iptables.
    pub central: Vec<SocketAddr>,
    /// Lines of iptables.
    pub lines: Vec<String>,
}

/// An address in a set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Element {
    /// The address.
    pub address: IpAddr,
    /// When it ends by itself; `None`: never.
    pub left: Option<Duration>,
}

impl Told {
    /// True if there are rules for an address.
    pub fn is_for(&self, ip: IpAddr) -> bool {
        let text = ip.to_string();
        let names = |line: &String| line.split([' ', '/']).any(|word| word == text);
        self.own.iter().any(|element| element.address == ip) || self.lines.iter().any(names)
    }

    fn add(&mut self, table: &Value, family: &str) {
        let objects = nft::objects(table);
        self.rules += nft::rules(objects);
        let chains = objects.iter().filter_map(|object| object.pointer("/chain/name")?.as_str());
        let has_rule =
            |name: &str| objects.iter().any(|object| object.pointer("/rule/chain").is_some_and(|of| of == name));
        self.empty.extend(chains.filter(|name| !has_rule(name)).map(|name| format!("{family} {name}")));
        self.own.extend(elements(objects, table::OWN));
        self.stand_in.extend(elements(objects, table::STAND_IN));
        self.central.extend(table::central_of(table));
    }
}

impl Rules {
    /// What the kernel has of a name, whoever made it.
    ///
    /// # Errors
    /// A program that shows rules fails.
    pub fn told(name: &str) -> Result<Told, RulesError> {
        let mut told = Told::default();
        for (family, word) in Family::BOTH.into_iter().zip(["ip", "ip6"]) {
            nft::table(&table_name(name), family)?.iter().for_each(|table| told.add(table, word));
        }
        for tables in all_iptables() {
            let lines = look::lines(&tables.ours(name)?, name);
            told.central.extend(chains::central_of(&lines));
            told.lines.extend(lines);
        }
        told.central.sort_unstable();
        told.central.dedup();
        Ok(told)
    }
}

/// The elements of a set: an address, or an address with when it ends.
fn elements(objects: &[Value], set: &str) -> Vec<Element> {
    let of_set = objects.iter().filter_map(|object| object.get("set")).filter(|found| found["name"] == set);
    let all = of_set.filter_map(|found| found.get("elem")?.as_array()).flatten();
    let element = |value: &Value| {
        let plain = || Some(Element { address: value.as_str()?.parse().ok()?, left: None });
        let timed = || {
            let inner = value.get("elem")?;
            let left = inner.get("expires").and_then(Value::as_u64).map(Duration::from_secs);
            Some(Element { address: inner.get("val")?.as_str()?.parse().ok()?, left })
        };
        plain().or_else(timed)
    };
    all.filter_map(element).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_table_tells_its_addresses_and_what_is_missing() {
        let table = json!({ "nftables": [
            { "metainfo": {} },
            { "table": { "name": "nearpath-x" } },
            { "set": { "name": "own", "elem": [{ "elem": { "val": "169.254.20.10", "expires": 3_599 } }] } },
            { "set": { "name": "stand_in", "elem": ["169.254.20.10"] } },
            { "set": { "name": "hairpin" } },
            { "chain": { "name": "full" } }, { "chain": { "name": "flushed" } },
            { "rule": { "chain": "full", "expr": [{ "dnat": { "addr": { "map": { "data": {
                "set": [[0, { "concat": ["10.2.0.2", 53] }]] } } } } }] } },
        ] });
        let mut told = Told::default();
        told.add(&table, "ip");
        let address: IpAddr = "169.254.20.10".parse().unwrap();
        assert_eq!(told.own, [Element { address, left: Some(Duration::from_secs(3_599)) }]);
        assert_eq!(told.stand_in, [Element { address, left: None }]);
        assert_eq!((told.rules, told.empty.as_slice()), (1, &["ip flushed".to_owned()][..]));
        assert_eq!(told.central, ["10.2.0.2:53".parse().unwrap()]);
        assert!(told.is_for(address) && !told.is_for("169.254.20.1".parse().unwrap()));
    }

    #[test]
    fn lines_of_iptables_name_whole_addresses() {
        let told = Told { lines: vec!["raw -A X -d 10.96.0.10/32 -p udp".to_owned()], ..Told::default() };
        assert!(told.is_for("10.96.0.10".parse().unwrap()) && !told.is_for("10.96.0.1".parse().unwrap()));
    }
}
