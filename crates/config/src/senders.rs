//! Presets: services that send mail for a domain, and what each asks for in its zone (rule book section 17).
//!
//! A preset is requirements, never a ready SPF record: terms are merged into the domain's own.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use mailzone_record::Name;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::raw::Node;
use crate::source::SourceFile;

const DATA: &str = include_str!("presets/senders.toml");

static PRESETS: LazyLock<BTreeMap<String, Preset>> = LazyLock::new(|| read(DATA));

/// Every preset, by name.
pub fn presets() -> &'static BTreeMap<String, Preset> {
    &PRESETS
}

/// What a service asks for. Templates hold placeholders: `{d}` the domain, `{d-}` the same with hyphens for dots,
/// `{NAME}` a parameter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Preset {
    /// Its key in the configuration.
    pub name: String,
    /// As the service calls itself.
    pub title: String,
    /// When this was seen: a year, with or without a month.
    pub as_of: String,
    /// How sure it is: `confirmed` (by the service's own pages or several public sources) or `weak`.
    pub confidence: String,
    /// What else a person should know; may be empty.
    pub note: String,
    /// What the service assigns, those that must be given first.
    pub parameters: Vec<Parameter>,
    /// Terms for the SPF record of the domain.
    pub spf: Vec<String>,
    /// With one of these in the record no term is added.
    pub spf_alternatives: Vec<String>,
    /// Where the keys are that the service signs with.
    pub dkim: Vec<KeyTemplate>,
    /// The hosts that take the domain's mail, with their preferences; wanted with `mx = true`.
    pub mx: Vec<(u16, String)>,
    /// Other records.
    pub records: Vec<RecordTemplate>,
}

/// Something that the service assigns.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parameter {
    /// Its key.
    pub name: String,
    /// What it may be.
    pub kind: ParameterKind,
    /// Whether it must be given.
    pub required: bool,
    /// The parameter beside which it must be given, and without which it says nothing.
    pub needed_for: Option<String>,
    /// What it is where it is not given.
    pub default: Option<String>,
    /// For people: one value, or one for each item of a list.
    pub example: Vec<String>,
    /// For people.
    pub doc: String,
}

/// What a parameter may be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ParameterKind {
    /// Labels of a name.
    Label,
    /// A list of so many.
    Labels(usize),
    /// A host name.
    Host,
    /// One of these.
    Choice(Vec<String>),
    /// A DKIM record, as pasted.
    Key,
    /// A text without quotes.
    Text,
}

/// A key that the service signs with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyTemplate {
    /// The parameter for each of whose items there is one.
    pub each: Option<String>,
    /// The selector.
    pub selector: String,
    /// Where the service publishes it: the first whose placeholders are all given. Empty where the domain does.
    pub cname: Vec<String>,
    /// The parameter that holds the key where the domain publishes it.
    pub key: Option<String>,
}

/// A record that the service asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecordTemplate {
    /// Relative to the domain; `@` is the domain.
    pub name: String,
    /// `CNAME`, `MX`, `TXT`, `SRV`.
    pub rtype: String,
    /// In presentation format; names are absolute.
    pub value: String,
    /// Only beside this parameter.
    pub with: Option<String>,
    /// Whether other values may stand beside it.
    pub shared: bool,
}

/// The values of parameters.
pub type Values = BTreeMap<String, Vec<String>>;

impl Preset {
    /// The parameter of this name.
    pub fn parameter(&self, name: &str) -> Option<&Parameter> {
        self.parameters.iter().find(|parameter| parameter.name == name)
    }

    /// Every key that its table may have: the parameters, `mx` where it has hosts, `absent`.
    pub fn keys(&self) -> impl Iterator<Item = &str> {
        let mx = (!self.mx.is_empty()).then_some("mx");
        self.parameters.iter().map(|parameter| parameter.name.as_str()).chain(mx).chain(["absent"])
    }

    /// The table to paste, with example values: `sendgrid = { domain_id = "em1234", … }`.
    pub fn sample(&self) -> String {
        let keys: Vec<String> = self.parameters.iter().filter(|p| p.required).map(Parameter::sample).collect();
        if keys.is_empty() {
            return format!("{} = {{}}", self.name);
        }
        format!("{} = {{ {} }}", self.name, keys.join(", "))
    }
}

impl Parameter {
    /// `user = "u1234567"`
    pub fn sample(&self) -> String {
        let quoted: Vec<String> = self.example.iter().map(|text| format!("\"{text}\"")).collect();
        let value = match self.kind {
            ParameterKind::Labels(_) => format!("[{}]", quoted.join(", ")),
            _ => quoted.concat(),
        };
        format!("{} = {value}", self.name)
    }
}

/// A template with its placeholders replaced; `None` where one is not given.
pub fn expand(template: &str, domain: &Name, values: &Values) -> Option<String> {
    let mut text = String::with_capacity(template.len());
    let mut rest = template;
    while let Some((before, after)) = rest.split_once('{') {
        let (name, after) = after.split_once('}')?;
        text.push_str(before);
        match name {
            "d" => text.push_str(&domain.to_text_without_dot()),
            "d-" => text.push_str(&domain.to_text_without_dot().replace('.', "-")),
            _ => match values.get(name)?.as_slice() {
                [value] => text.push_str(value),
                _ => return None,
            },
        }
        rest = after;
    }
    text.push_str(rest);
    Some(text)
}

fn read(text: &str) -> BTreeMap<String, Preset> {
    let file = SourceFile::new("<sender presets>", text);
    let (table, _) = DeTable::parse_recoverable(file.text());
    let span = table.span();
    let root = Spanned::new(span, DeValue::Table(table.into_inner()));
    let root = Node::new(&root, &file);
    root.entries().map(|(name, _, node)| (name.to_owned(), preset(name, &node))).collect()
}

fn preset(name: &str, node: &Node<'_>) -> Preset {
    let text = |key| node.get(key).and_then(|value| value.text()).unwrap_or_default().to_owned();
    let tables = |key| node.get(key).map(|list| list.items().collect::<Vec<_>>()).unwrap_or_default();
    let parameters = node.get("parameters").map(|table| table.entries().collect::<Vec<_>>()).unwrap_or_default();
    let mut parameters: Vec<Parameter> = parameters.into_iter().map(|(name, _, node)| parameter(name, &node)).collect();
    parameters.sort_by_key(|parameter| !parameter.required);
    Preset {
        name: name.to_owned(),
        title: text("title"),
        as_of: text("as_of"),
        confidence: text("confidence"),
        note: text("note"),
        parameters,
        spf: texts(node, "spf"),
        spf_alternatives: texts(node, "spf_alternatives"),
        dkim: tables("dkim").iter().map(key_template).collect(),
        mx: tables("mx").iter().filter_map(mx_template).collect(),
        records: tables("records").iter().map(record_template).collect(),
    }
}

fn parameter(name: &str, node: &Node<'_>) -> Parameter {
    let count = node.get("count").and_then(|count| usize::try_from(count.integer()?).ok());
    Parameter {
        name: name.to_owned(),
        kind: match text(node, "kind").as_deref() {
            Some("label") => ParameterKind::Label,
            Some("labels") => ParameterKind::Labels(count.unwrap_or_default()),
            Some("host") => ParameterKind::Host,
            Some("choice") => ParameterKind::Choice(texts(node, "choices")),
            Some("key") => ParameterKind::Key,
            _ => ParameterKind::Text,
        },
        required: flag(node, "required"),
        needed_for: text(node, "needed_for"),
        default: text(node, "default"),
        example: texts(node, "example"),
        doc: text(node, "doc").unwrap_or_default(),
    }
}

fn key_template(node: &Node<'_>) -> KeyTemplate {
    KeyTemplate {
        each: text(node, "each"),
        selector: text(node, "selector").unwrap_or_default(),
        cname: texts(node, "cname"),
        key: text(node, "key"),
    }
}

fn mx_template(node: &Node<'_>) -> Option<(u16, String)> {
    Some((u16::try_from(node.get("preference")?.integer()?).ok()?, text(node, "host")?))
}

fn record_template(node: &Node<'_>) -> RecordTemplate {
    RecordTemplate {
        name: text(node, "name").unwrap_or_default(),
        rtype: text(node, "type").unwrap_or_default(),
        value: text(node, "value").unwrap_or_default(),
        with: text(node, "with"),
        shared: flag(node, "shared"),
    }
}

fn text(node: &Node<'_>, key: &str) -> Option<String> {
    Some(node.get(key)?.text()?.to_owned())
}

/// A list of strings, or one.
fn texts(node: &Node<'_>, key: &str) -> Vec<String> {
    let Some(value) = node.get(key) else { return Vec::new() };
    match value.text() {
        Some(text) => vec![text.to_owned()],
        None => value.items().filter_map(|item| Some(item.text()?.to_owned())).collect(),
    }
}

fn flag(node: &Node<'_>, key: &str) -> bool {
    node.get(key).and_then(|value| value.bool()) == Some(true)
}

#[cfg(test)]
mod tests {
    use mailzone_mailauth::spf::Term;
    use mailzone_record::{RecordType, parse_rdata_text};

    use super::*;

    /// The data is ours and is read leniently, so that a test holds it to its own rules.
    #[test]
    fn the_data_is_sound() {
        let (table, errors) = DeTable::parse_recoverable(DATA);
        assert!(errors.is_empty(), "{errors:?}");
        assert_eq!(table.get_ref().len(), presets().len());
        let domain = Name::parse("example.com").unwrap();
        for preset in presets().values() {
            let name = &preset.name;
            assert!(!preset.title.is_empty() && preset.as_of.starts_with("20"), "{name}");
            assert!(matches!(preset.confidence.as_str(), "confirmed" | "weak"), "{name}");
            assert!(!preset.dkim.is_empty(), "{name}");
            let mut values = Values::new();
            for parameter in &preset.parameters {
                assert!(!parameter.doc.is_empty() && !parameter.example.is_empty(), "{name}.{}", parameter.name);
                assert!(!matches!(parameter.name.as_str(), "mx" | "absent" | "d" | "d-"), "{name}.{}", parameter.name);
                let needed = parameter.needed_for.as_deref();
                assert!(needed.is_none_or(|key| preset.keys().any(|known| known == key)), "{name}.{}", parameter.name);
                if let ParameterKind::Labels(count) = parameter.kind {
                    assert_eq!(parameter.example.len(), count, "{name}.{}", parameter.name);
                }
                values.insert(parameter.name.clone(), parameter.example.clone());
            }
            let expand = |template: &str, values: &Values| {
                expand(template, &domain, values).unwrap_or_else(|| panic!("{name}: {template}"))
            };
            for term in preset.spf.iter().chain(&preset.spf_alternatives) {
                assert!(Term::parse(&expand(term, &values)).is_ok(), "{name}: {term}");
            }
            for key in &preset.dkim {
                let mut values = values.clone();
                if let Some(each) = &key.each {
                    assert!(matches!(preset.parameter(each).unwrap().kind, ParameterKind::Labels(_)), "{name}");
                    values.insert(each.clone(), vec!["abc".into()]);
                }
                domain.prepend(&format!("{}._domainkey", expand(&key.selector, &values))).unwrap();
                assert_eq!(key.cname.is_empty(), key.key.is_some(), "{name}");
                assert!(key.key.as_ref().is_none_or(|key| preset.parameter(key).is_some()), "{name}");
                key.cname.iter().for_each(|target| drop(Name::parse(&expand(target, &values)).unwrap()));
            }
            preset.mx.iter().for_each(|(_, host)| drop(Name::parse(&expand(host, &values)).unwrap()));
            for record in &preset.records {
                let rtype: RecordType = record.rtype.parse().unwrap();
                parse_rdata_text(rtype, &expand(&record.value, &values), None).unwrap();
                assert!(record.with.as_ref().is_none_or(|key| preset.keys().any(|known| known == key)), "{name}");
            }
        }
    }

    #[test]
    fn placeholders() {
        let domain = Name::parse("a.example").unwrap();
        let values = Values::from([("x".into(), vec!["1".into()]), ("l".into(), vec!["1".into(), "2".into()])]);
        let expand = |template| expand(template, &domain, &values);
        assert_eq!(expand("{x}.{d-}.{d}.end").as_deref(), Some("1.a-example.a.example.end"));
        assert_eq!((expand("{y}"), expand("{l}"), expand("{x")), (None, None, None));
    }

    #[test]
    fn samples() {
        insta::assert_snapshot!(presets().values().map(Preset::sample).collect::<Vec<_>>().join("\n"), @r#"
    amazon-ses = { tokens = ["abc1", "abc2", "abc3"] }
    brevo = {}
    fastmail = {}
    google-workspace = {}
    ionos = {}
    mailbox-org = {}
    mailchimp = {}
    mailcow = { host = "mail.example.com" }
    mailgun = { id = "a1b2c3" }
    microsoft-365 = { tenant = "contoso" }
    netcup-webhosting = {}
    postmark = { selector = "20260101pm" }
    sendgrid = { domain_id = "em1234", user = "u1234567", wl = "wl042" }
    zoho-mail = { region = "eu" }
    "#);
    }
}
