use std::borrow::Cow;

/// Replaces what differs from run to run by placeholders of the same width, so that the text of two runs is the same
/// and its columns stay where they are. One that is off changes nothing.
#[derive(Debug, Clone, Default)]
pub struct Redactor {
    on: bool,
    paths: Vec<(String, &'static str)>,
}

impl Redactor {
    /// One that is on.
    pub fn new() -> Self {
        Self { on: true, paths: Vec::new() }
    }

    /// Also replaces this path, wherever it stands in a text, by a word such as `<dir>`.
    #[must_use]
    pub fn with_path(mut self, path: impl Into<String>, word: &'static str) -> Self {
        self.paths.push((path.into(), word));
        // A longer path first, for it may lie in a shorter one.
        self.paths.sort_by_key(|(path, _)| std::cmp::Reverse(path.len()));
        self
    }

    /// A duration in milliseconds, one decimal: `12.3 ms`.
    pub fn millis(&self, millis: f64) -> String {
        if self.on { "<ms> ms".to_owned() } else { format!("{millis:.1} ms") }
    }

    /// A time, RFC 3339.
    pub fn time<'a>(&self, time: &'a str) -> Cow<'a, str> {
        if self.on { Cow::Borrowed("<time>") } else { Cow::Borrowed(time) }
    }

    /// A count of octets: `1.5 MiB`.
    #[expect(clippy::cast_precision_loss, reason = "one decimal is shown")]
    pub fn size(&self, octets: u64) -> String {
        match octets {
            _ if self.on => "<size>".to_owned(),
            0..1024 => format!("{octets} B"),
            1024..1_048_576 => format!("{:.1} KiB", octets as f64 / 1024.0),
            _ => format!("{:.1} MiB", octets as f64 / 1_048_576.0),
        }
    }

    /// An identifier that is made anew by each run.
    pub fn identifier<'a>(&self, id: &'a str) -> Cow<'a, str> {
        if self.on { Cow::Borrowed("<id>") } else { Cow::Borrowed(id) }
    }

    /// A socket address: its port, unless it is the DNS's own.
    pub fn address<'a>(&self, address: &'a str) -> Cow<'a, str> {
        let Some((host, port)) = address.rsplit_once(':').filter(|_| self.on) else { return Cow::Borrowed(address) };
        // An IPv6 address without brackets has no port.
        let has_port = (!host.contains(':') || host.ends_with(']')) && port.parse::<u16>().is_ok();
        if has_port && port != "53" { Cow::Owned(format!("{host}:<port>")) } else { Cow::Borrowed(address) }
    }

    /// Any text: known paths, and the ports of loopback addresses in it.
    pub fn text<'a>(&self, text: &'a str) -> Cow<'a, str> {
        if !self.on {
            return Cow::Borrowed(text);
        }
        let mut out = text.to_owned();
        for (path, word) in &self.paths {
            out = out.replace(path.as_str(), word);
        }
        Cow::Owned(without_ports(&out))
    }
}

/// Loopback addresses with a port: `127.0.0.1:40123`, `[::1]:40123`.
fn without_ports(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find("127.").into_iter().chain(rest.find("[::1]")).min() {
        let (before, after) = rest.split_at(at);
        out.push_str(before);
        let is_v4 = |c: char| c.is_ascii_digit() || c == '.';
        let length = if after.starts_with('[') { 5 } else { after.find(|c| !is_v4(c)).unwrap_or(after.len()) };
        let (host, after) = after.split_at(length);
        out.push_str(host);
        rest = after;
        if let Some(port) = after.strip_prefix(':') {
            let digits = port.find(|c: char| !c.is_ascii_digit()).unwrap_or(port.len());
            if digits > 0 && port.get(..digits) != Some("53") {
                out.push_str(":<port>");
                rest = port.get(digits..).unwrap_or_default();
            }
        }
    }
    out.push_str(rest);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn off_changes_nothing() {
        let off = Redactor::default();
        assert_eq!(off.millis(12.34), "12.3 ms");
        assert_eq!(off.time("2026-01-02T03:04:05Z"), "2026-01-02T03:04:05Z");
        assert_eq!(off.address("127.0.0.1:40123"), "127.0.0.1:40123");
        assert_eq!(off.text("127.0.0.1:40123"), "127.0.0.1:40123");
        assert_eq!(
            (off.size(12), off.size(1536), off.size(3 << 20)),
            ("12 B".into(), "1.5 KiB".into(), "3.0 MiB".into())
        );
    }

    #[test]
    fn on_replaces_what_differs() {
        let on = Redactor::new().with_path("/srv/a", "<dir>").with_path("/srv/a/b", "<sub>");
        assert_eq!(on.millis(12.34), on.millis(0.1));
        assert_eq!(on.time("2026-01-02T03:04:05Z"), "<time>");
        assert_eq!(on.address("127.0.0.1:40123"), "127.0.0.1:<port>");
        assert_eq!(on.address("[2001:db8::1]:5300"), "[2001:db8::1]:<port>");
        assert_eq!(on.address("192.0.2.1:53"), "192.0.2.1:53");
        assert_eq!(on.address("2001:db8::1"), "2001:db8::1");
        assert_eq!(
            on.text("/srv/a/b/c and /srv/a at 127.0.0.1:40123, [::1]:999 and 127.0.0.11:53"),
            "<sub>/c and <dir> at 127.0.0.1:<port>, [::1]:<port> and 127.0.0.11:53"
        );
    }
}
