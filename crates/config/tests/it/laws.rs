//! Properties.

use proptest::prelude::*;

use super::{example, load_text, messages};

/// Text that looks like a configuration often enough to get past the TOML parser.
fn tomlish() -> impl Strategy<Value = String> {
    let header = prop_oneof![
        Just("[defaults]"),
        Just("[domains.\"example.com\"]"),
        Just("[domains.\"a.example.com\"]"),
        Just("[groups.g]"),
        Just("[profiles.p]"),
        Just("[hosts.\"mail.example.com\"]"),
        Just("[providers.p]"),
        Just("[dns]"),
        Just("[latency]"),
        Just("[[domains.\"example.com\".records]]"),
        Just("[[defaults.allow]]"),
        Just("[domains.\"example.com\".dkim.s1]"),
    ];
    let key = prop_oneof![
        Just("provider"),
        Just("type"),
        Just("directory"),
        Just("spf"),
        Just("dmarc"),
        Just("mx"),
        Just("dkim"),
        Just("caa"),
        Just("mta_sts"),
        Just("tls_rpt"),
        Just("ttl"),
        Just("ttls"),
        Just("records"),
        Just("allow"),
        Just("zone"),
        Just("mail"),
        Just("profiles"),
        Just("inherit"),
        Just("domains"),
        Just("name"),
        Just("values"),
        Just("code"),
        Just("until"),
        Just("ipv4"),
        Just("resolvers"),
        Just("tlsa"),
        Just("txt"),
        Just("cname"),
        Just("bimi"),
        Just("client_settings"),
        Just("senders"),
        Just("colour"),
    ];
    let value = prop_oneof![
        Just("\"p\"".to_owned()),
        Just("\"zonefile\"".to_owned()),
        Just("true".to_owned()),
        Just("7".to_owned()),
        Just("[]".to_owned()),
        Just("{}".to_owned()),
        Just("\"absent\"".to_owned()),
        Just("2026-02-30".to_owned()),
        Just("2026-02-03".to_owned()),
        Just("\"v=spf1 redirect:x ip4: -all\"".to_owned()),
        Just("{ policy = \"none\", cname = \"x\" }".to_owned()),
        Just("{ s1 = { txt = \"v=DKIM1; p=\" } }".to_owned()),
        Just("[{ name = \"@\", type = \"TXT\", values = [\"x\"] }]".to_owned()),
        Just("[\"example.com\", \"EXAMPLE.com.\"]".to_owned()),
        Just("{ default = { logo = \"https://x.example/l\" }, imaps = \"h.example:1\", autoconfig = {} }".to_owned()),
        Just("{ mailgun = { id = \"x\", mx = true }, fastmail = { mx = true }, google-workspace = {} }".to_owned()),
        Just("{ mx = true, hosts = [\"mail.example.com\"], all = \"-\" }".to_owned()),
        any::<String>().prop_map(|text| format!("{text:?}")),
        "[ -~]{0,12}".prop_map(|text| format!("'{}'", text.replace('\'', ""))),
    ];
    let line = prop_oneof![1 => header.prop_map(str::to_owned), 3 => (key, value).prop_map(|(key, value)| format!("{key} = {value}"))];
    prop::collection::vec(line, 0..14).prop_map(|lines| lines.join("\n"))
}

proptest! {
    #[test]
    fn any_text_is_read_or_refused(text in any::<String>()) {
        if let Err(errors) = load_text(&text) {
            prop_assert!(!errors.is_empty());
            let shown = messages(&errors);
            prop_assert!(!shown.chars().any(|c| c != '\n' && mailzone_config::escape::is_hidden(c)), "{shown:?}");
        }
    }

    #[test]
    fn anything_like_a_configuration_is_read_or_refused(text in tomlish()) {
        if let Err(errors) = load_text(&text) {
            let shown = messages(&errors);
            prop_assert!(!shown.chars().any(|c| c != '\n' && mailzone_config::escape::is_hidden(c)), "{shown:?}");
        }
    }

    /// A key means the same wherever it comes from, and the later layer wins.
    #[test]
    fn the_last_layer_wins(layers in prop::collection::vec(prop::option::of(0u32..4), 4), all in prop::collection::vec(prop::option::of(0usize..3), 4)) {
        let table = |header: &str, i: usize| {
            let mut text = format!("{header}\n");
            if let Some(ttl) = layers[i] { text += &format!("ttl = {ttl}\n"); }
            if let Some(all) = all[i] { text += &format!("spf = {{ all = \"{}\", ip{} = [\"{}\"] }}\n", ["-", "~", "?"][all], ["4", "6"][i % 2], ["192.0.2.1", "2001:db8::1"][i % 2]); }
            text
        };
        let text = [table("", 0), table("[profiles.x]", 1), table("[groups.g]\ndomains = [\"example.com\"]\nprofiles = [\"x\"]", 2), table("[domains.\"example.com\"]", 3)].concat();
        let domain = example(&text);
        prop_assert_eq!(domain.ttl.map(|ttl| ttl.value.as_secs()), layers.iter().rev().flatten().next().copied());
        let spf = domain.spf.map(|spf| spf.value.wanted().unwrap().text.clone());
        let qualifier = all.iter().rev().flatten().next().map(|all| format!("{}all", ["-", "~", "?"][*all]));
        prop_assert_eq!(spf.is_some(), qualifier.is_some());
        if let (Some(spf), Some(qualifier)) = (spf, qualifier) {
            prop_assert!(spf.ends_with(&qualifier), "{}", spf);
            prop_assert_eq!(spf.contains("ip4:"), all[0].is_some() || all[2].is_some());
            prop_assert_eq!(spf.contains("ip6:"), all[1].is_some() || all[3].is_some());
        }
    }

    /// Merging what is already there changes nothing.
    #[test]
    fn merging_is_idempotent(mail in 0usize..4, ttl in 0u32..100) {
        let keys = format!("mail = \"{}\"\nttl = {ttl}\nspf = {{ mx = true, all = \"-\" }}\n", ["both", "send", "receive", "none"][mail]);
        let once = example(&format!("[domains.\"example.com\"]\n{keys}"));
        let twice = example(&format!("{keys}[profiles.x]\n{keys}[domains.\"example.com\"]\nprofiles = [\"x\"]\n{keys}"));
        prop_assert_eq!(once.mail, twice.mail);
        prop_assert_eq!(once.ttl.map(|ttl| ttl.value), twice.ttl.map(|ttl| ttl.value));
        prop_assert_eq!(once.spf.map(|spf| spf.value), twice.spf.map(|spf| spf.value));
    }
}
