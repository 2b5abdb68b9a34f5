use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// An address block: the argument of `ip4` or `ip6`. Host bits beyond the prefix are cleared, since
/// no receiver reads them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Network {
    address: IpAddr,
    prefix: u8,
}

/// The addresses that some networks cover, both families.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Coverage {
    v4: Ranges,
    v6: Ranges,
}

/// Address ranges of one family, both ends included: sorted, disjoint, not adjacent.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Ranges(Vec<(u128, u128)>);

impl Network {
    /// The block of `address` with this prefix length; `None` if it is over 32 (IPv4) or 128 (IPv6).
    pub fn new(address: IpAddr, prefix: u8) -> Option<Self> {
        let address = match address {
            IpAddr::V4(v4) => {
                let shift = 32u32.checked_sub(prefix.into())?;
                let mask = u32::MAX.checked_shl(shift).unwrap_or(0);
                Ipv4Addr::from_bits(v4.to_bits() & mask).into()
            }
            IpAddr::V6(v6) => {
                let shift = 128u32.checked_sub(prefix.into())?;
                let mask = u128::MAX.checked_shl(shift).unwrap_or(0);
                Ipv6Addr::from_bits(v6.to_bits() & mask).into()
            }
        };
        Some(Self { address, prefix })
    }

    /// The block of one address.
    pub fn host(address: IpAddr) -> Self {
        Self { address, prefix: if address.is_ipv4() { 32 } else { 128 } }
    }

    /// The first address.
    pub fn address(&self) -> IpAddr {
        self.address
    }

    /// The prefix length in bits.
    pub fn prefix(&self) -> u8 {
        self.prefix
    }

    /// Whether every address of `other` is in this block.
    pub fn contains(&self, other: &Self) -> bool {
        let ((first, last), (a, z)) = (self.range(), other.range());
        self.address.is_ipv4() == other.address.is_ipv4() && first <= a && z <= last
    }

    /// Whether the address is in this block. Addresses of the other family never are.
    pub fn has(&self, address: IpAddr) -> bool {
        match (self.address, address) {
            (IpAddr::V4(own), IpAddr::V4(other)) => {
                let host = u32::MAX.checked_shr(self.prefix.into()).unwrap_or(0);
                (own.to_bits() ^ other.to_bits()) & !host == 0
            }
            (IpAddr::V6(own), IpAddr::V6(other)) => {
                let host = u128::MAX.checked_shr(self.prefix.into()).unwrap_or(0);
                (own.to_bits() ^ other.to_bits()) & !host == 0
            }
            _ => false,
        }
    }

    /// `ip4` or `ip6`: the mechanism for this family.
    pub fn mechanism(&self) -> &'static str {
        if self.address.is_ipv4() { "ip4" } else { "ip6" }
    }

    fn range(&self) -> (u128, u128) {
        match self.address {
            IpAddr::V4(v4) => {
                let host = u32::MAX.checked_shr(self.prefix.into()).unwrap_or(0);
                (v4.to_bits().into(), (v4.to_bits() | host).into())
            }
            IpAddr::V6(v6) => {
                let host = u128::MAX.checked_shr(self.prefix.into()).unwrap_or(0);
                (v6.to_bits(), v6.to_bits() | host)
            }
        }
    }
}

impl fmt::Display for Network {
    /// The address, and the prefix where it is shorter than the address.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.address.fmt(f)?;
        let whole = if self.address.is_ipv4() { 32 } else { 128 };
        if self.prefix < whole { write!(f, "/{}", self.prefix) } else { Ok(()) }
    }
}

impl Coverage {
    pub(super) fn of<'a>(networks: impl IntoIterator<Item = &'a Network>) -> Self {
        let (mut v4, mut v6) = (Vec::new(), Vec::new());
        for network in networks {
            let family = if network.address.is_ipv4() { &mut v4 } else { &mut v6 };
            family.push(network.range());
        }
        Self { v4: Ranges::of(v4), v6: Ranges::of(v6) }
    }

    pub(super) fn union(self, other: Self) -> Self {
        Self { v4: self.v4.union(other.v4), v6: self.v6.union(other.v6) }
    }

    pub(super) fn minus(&self, other: &Self) -> Self {
        Self { v4: self.v4.minus(&other.v4), v6: self.v6.minus(&other.v6) }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.v4.0.is_empty() && self.v6.0.is_empty()
    }

    pub(super) fn intersects(&self, network: &Network) -> bool {
        let (first, last) = network.range();
        let ranges = if network.address.is_ipv4() { &self.v4 } else { &self.v6 };
        ranges.0.iter().any(|&(a, z)| a <= last && first <= z)
    }

    /// Whether more than half of a family's address space is covered.
    pub(super) fn more_than_half(&self) -> bool {
        self.v4.size() > 1 << 31 || self.v6.size() > 1 << 127
    }
}

impl Ranges {
    fn of(mut ranges: Vec<(u128, u128)>) -> Self {
        ranges.sort_unstable();
        let mut merged: Vec<(u128, u128)> = Vec::with_capacity(ranges.len());
        for (first, last) in ranges {
            match merged.last_mut() {
                Some(open) if first <= open.1.saturating_add(1) => open.1 = open.1.max(last),
                _ => merged.push((first, last)),
            }
        }
        Self(merged)
    }

    fn union(mut self, other: Self) -> Self {
        if other.0.is_empty() {
            return self;
        }
        self.0.extend(other.0);
        Self::of(self.0)
    }

    fn minus(&self, other: &Self) -> Self {
        let mut left = Vec::with_capacity(self.0.len());
        for &(first, last) in &self.0 {
            let mut next = Some(first);
            let start = other.0.partition_point(|&(_, z)| z < first);
            for &(a, z) in other.0.iter().skip(start).take_while(|&&(a, _)| a <= last) {
                let Some(from) = next else { break };
                if a > from {
                    left.push((from, a - 1));
                }
                next = z.checked_add(1).filter(|&n| n <= last);
            }
            if let Some(from) = next {
                left.push((from, last));
            }
        }
        Self(left)
    }

    /// The number of addresses; saturates at the whole IPv6 space less one.
    fn size(&self) -> u128 {
        self.0.iter().fold(0u128, |sum, &(a, z)| sum.saturating_add((z - a).saturating_add(1)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn network(address: &str, prefix: u8) -> Network {
        Network::new(address.parse().unwrap(), prefix).unwrap()
    }

    #[test]
    fn blocks() {
        assert_eq!(network("192.0.2.9", 24), network("192.0.2.0", 24));
        assert_eq!(network("192.0.2.9", 0).to_string(), "0.0.0.0/0");
        assert_eq!(network("2001:DB8:0::1", 128).to_string(), "2001:db8::1");
        assert_eq!(network("::1", 0).to_string(), "::/0");
        assert_eq!(Network::new(Ipv4Addr::LOCALHOST.into(), 33), None);
        assert!(network("192.0.2.0", 24).contains(&network("192.0.2.255", 32)));
        assert!(!network("192.0.2.0", 24).contains(&network("192.0.3.0", 32)));
        assert!(!network("::", 0).contains(&network("192.0.3.0", 32)));
        let has = |network: Network, address: &str| network.has(address.parse().unwrap());
        assert!(has(network("192.0.2.0", 25), "192.0.2.127") && !has(network("192.0.2.0", 25), "192.0.2.128"));
        assert!(has(network("1.1.1.1", 0), "255.0.0.1") && !has(network("1.1.1.1", 0), "::1"));
        assert!(has(network("2001:db8::1", 128), "2001:db8::1") && !has(network("2001:db8::", 64), "2001:db8:0:1::"));
    }

    #[test]
    fn coverage() {
        let halves = [network("192.0.2.0", 25), network("192.0.2.128", 25)];
        let whole = [network("192.0.2.0", 24)];
        assert_eq!(Coverage::of(&halves), Coverage::of(&whole));
        assert!(Coverage::of(&whole).minus(&Coverage::of(&halves)).is_empty());
        let hole = Coverage::of(&whole).minus(&Coverage::of(&[network("192.0.2.7", 32)]));
        assert!(!hole.intersects(&network("192.0.2.7", 32)) && hole.intersects(&network("192.0.2.8", 32)));
        assert!(Coverage::of(&[network("::", 0)]).more_than_half());
        assert!(!Coverage::of(&[network("128.0.0.0", 1)]).more_than_half());
    }

    proptest! {
        #[test]
        fn sets_behave(a in proptest::collection::vec((any::<u32>(), 8u8..=32), 0..8),
                       b in proptest::collection::vec((any::<u32>(), 8u8..=32), 0..8)) {
            let of = |list: &[(u32, u8)]| -> Coverage {
                let list: Vec<_> = list.iter()
                    .filter_map(|&(bits, prefix)| Network::new(Ipv4Addr::from_bits(bits % 0x0400_0000).into(), prefix))
                    .collect();
                Coverage::of(&list)
            };
            let (a, b) = (of(&a), of(&b));
            prop_assert_eq!(a.minus(&b).union(b.clone()), a.clone().union(b.clone()));
            prop_assert!(a.minus(&a).is_empty());
            prop_assert_eq!(a.minus(&b).minus(&b), a.minus(&b));
        }
    }
}
