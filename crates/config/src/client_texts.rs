//! The kinds of strings of `bimi` and `client_settings`, and how each is read.

use mailzone_mailauth::bimi;
use mailzone_mailauth::client_settings::{HOSTS, SERVICES};
use mailzone_record::Name;

use crate::keys::TextKind;
use crate::mail_texts::selector;
use crate::texts::{Fault, host_name};

pub(crate) static BIMI: TextKind = TextKind {
    name: "a BIMI record, \"absent\" or \"unmanaged\"",
    pattern: Some("^(v\\s*=\\s*BIMI1.*|absent|unmanaged)$"),
    check: |text| match text {
        "absent" | "unmanaged" => Ok(()),
        _ => bimi::Record::parse(text)
            .map(drop)
            .map_err(|error| Fault::new(format!("no BIMI record: {error}")).at(error.span)),
    },
};
pub(crate) static BIMI_SELECTOR: TextKind =
    TextKind { name: "a BIMI selector", pattern: Some("."), check: |text| bimi_selector(text).map(drop) };
pub(crate) static BIMI_URL: TextKind = TextKind {
    name: "an https URL, or \"\"",
    pattern: Some("^([hH][tT][tT][pP][sS]://.+)?$"),
    check: |text| {
        if text.is_empty() || bimi::is_url(text) {
            return Ok(());
        }
        let fault = Fault::new("not an https URL");
        Err(match text.get(.."http://".len()) {
            Some(scheme) if scheme.eq_ignore_ascii_case("http://") => {
                fault.help("serve the file over https: receivers take nothing else")
            }
            _ => fault.help("write \"https://HOST/PATH\"; `,`, `;` and blanks percent-coded"),
        })
    },
};
pub(crate) static LOCAL_PART: TextKind = TextKind {
    name: "the local part of an address",
    pattern: Some("."),
    check: |text| {
        let bad = |c: char| !c.is_ascii_graphic() || matches!(c, ',' | ';' | '@' | '=');
        let good = !text.is_empty() && text.len() <= 63 && !text.contains(bad);
        if good { Ok(()) } else { Err(Fault::new("not a local part: at most 63 letters, digits, `.`, `-`, `_`, `+`")) }
    },
};
/// One server.
pub(crate) static CLIENT_SERVER: TextKind = TextKind {
    name: "a server: \"HOST\" or \"HOST:PORT\"",
    pattern: Some("."),
    check: |text| client_server(text).map(drop),
};
/// One server, or a word.
pub(crate) static CLIENT_SERVICE: TextKind = TextKind {
    name: "\"HOST\", \"HOST:PORT\", \"none\", \"absent\" or \"unmanaged\"",
    pattern: Some("."),
    check: |text| match text {
        "none" | "absent" | "unmanaged" => Ok(()),
        _ => client_server(text).map(drop),
    },
};
pub(crate) static CLIENT_HOST: TextKind = TextKind {
    name: "a host name, \"absent\" or \"unmanaged\"",
    pattern: Some("."),
    check: |text| match text {
        "absent" | "unmanaged" => Ok(()),
        _ => match client_server(text)? {
            (_, None) => Ok(()),
            (host, Some(_)) => Err(Fault::new("a port, and programs ask on 80 and 443 alone")
                .help(format!("write \"{}\"", host.to_text_without_dot()))),
        },
    },
};
pub(crate) static DAV_PATH: TextKind = TextKind {
    name: "a path such as \"/dav/\"",
    pattern: Some("^/"),
    check: |text| {
        let good = text.starts_with('/') && text.len() <= 250 && text.bytes().all(|b| b.is_ascii_graphic());
        if good { Ok(()) } else { Err(Fault::new("not a path: it begins with `/` and has no blanks")) }
    },
};

/// A selector in lower case.
pub(crate) fn bimi_selector(text: &str) -> Result<String, Fault> {
    let lower = text.to_lowercase();
    if lower.split('.').any(|label| matches!(label, "_bimi" | "bimi" | "_domainkey" | "*")) {
        return Err(Fault::new("a selector without `_bimi` belongs here")
            .help("write `bimi.default`: `._bimi` and the domain are appended"));
    }
    selector(text).map_err(|_| Fault::new("a selector has letters, digits and hyphens, in labels with dots between"))
}

/// `HOST` or `HOST:PORT`.
pub(crate) fn client_server(text: &str) -> Result<(Name, Option<u16>), Fault> {
    if matches!(text, "none" | "absent" | "unmanaged") {
        return Err(Fault::new(format!("\"{text}\" is no server and has no place here")));
    }
    let (host, port) = match text.rsplit_once(':') {
        Some((host, port)) if !host.contains(':') && !text.contains("://") => (host, Some(port)),
        _ => (text, None),
    };
    let name = host_name(host).map_err(|fault| {
        let fault = if port.is_some() { Fault { at: Some(0..host.len()), ..fault } } else { fault };
        match fault.help.is_some() {
            true => fault,
            false => fault.help("write \"HOST\" or \"HOST:PORT\""),
        }
    })?;
    let Some(port) = port else { return Ok((name, None)) };
    let digits = !port.is_empty() && port.bytes().all(|b| b.is_ascii_digit());
    match port.parse::<u16>() {
        Ok(number) if digits && number > 0 => Ok((name, Some(number))),
        _ => Err(Fault::new("not a port from 1 to 65535").at(host.len() + 1..text.len())),
    }
}

/// The keys of `client_settings`.
pub(crate) fn client_keys() -> impl Iterator<Item = &'static str> + Clone {
    let only_hosts = HOSTS.iter().copied().filter(|host| SERVICES.iter().all(|service| service.key != *host));
    SERVICES.iter().map(|service| service.key).chain(only_hosts)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn servers() {
        let read = |text| client_server(text).map(|(host, port)| (host.to_text_without_dot(), port));
        assert_eq!(read("Mail.example.com:993").unwrap(), ("mail.example.com".into(), Some(993)));
        assert_eq!(read("mail.example.com").unwrap().1, None);
        for text in [
            "none",
            "",
            ":993",
            "mail:0",
            "mail:65536",
            "mail:+1",
            "mail:",
            "_x.example",
            "192.0.2.1:993",
            "2001:db8::1",
            "imaps://mail.example.com",
            "mail.example.com:993:1",
        ] {
            assert!(read(text).is_err(), "{text}");
        }
    }

    #[test]
    fn selectors_and_urls() {
        assert_eq!(bimi_selector("Default").unwrap(), "default");
        assert!(
            bimi_selector("default._bimi").is_err() && bimi_selector("a b").is_err() && bimi_selector("*").is_err()
        );
        let url = |text| (BIMI_URL.check)(text);
        assert!(url("").is_ok() && url("https://x.example/a.svg").is_ok());
        assert!(url("http://x.example/a.svg").unwrap_err().help.unwrap().contains("https"));
        assert!(url("https://x.example/a;b").is_err() && url("https://").is_err());
        assert!(client_keys().eq([
            "imaps",
            "imap",
            "pop3s",
            "pop3",
            "submissions",
            "submission",
            "autodiscover",
            "caldavs",
            "carddavs",
            "autoconfig"
        ]));
    }
}
