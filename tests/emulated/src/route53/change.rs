//! `ChangeResourceRecordSets`: reading the request strictly, and all or nothing.

use mailzone_record::{Name, RecordType};
use quick_xml::Reader;
use quick_xml::events::Event;

use super::sets::{RecordSet, name_text, read_name, read_value};

/// The children of a ResourceRecordSet in the order that the service wants.
const ORDER: [&str; 15] = [
    "Name",
    "Type",
    "SetIdentifier",
    "Weight",
    "Region",
    "GeoLocation",
    "Failover",
    "MultiValueAnswer",
    "TTL",
    "ResourceRecords",
    "AliasTarget",
    "HealthCheckId",
    "TrafficPolicyInstanceId",
    "CidrRoutingConfig",
    "GeoProximityLocation",
];
/// The types of the service's model.
const TYPES: [&str; 17] = [
    "SOA", "A", "TXT", "NS", "CNAME", "MX", "NAPTR", "PTR", "SRV", "SPF", "AAAA", "CAA", "DS", "TLSA", "SSHFP", "SVCB",
    "HTTPS",
];
const NAMESPACE: &str = "https://route53.amazonaws.com/doc/2013-04-01/";

/// One change of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Change {
    action: Action,
    set: RecordSet,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Action {
    Create,
    Delete,
    Upsert,
}

/// An element without attributes.
#[derive(Debug, Default)]
struct Node {
    name: String,
    namespace: Option<String>,
    text: String,
    children: Vec<Node>,
}

/// The changes of a request's body; the error is an `InvalidInput` message.
pub(super) fn read(body: &[u8]) -> Result<Vec<Change>, String> {
    let root = parse(body).ok_or("Invalid XML ; the document is not well-formed")?;
    if root.name != "ChangeResourceRecordSetsRequest" || root.namespace.as_deref() != Some(NAMESPACE) {
        return Err(format!("Invalid XML ; cvc-elt.1: Cannot find the declaration of element '{}'.", root.name));
    }
    let batch = match root.children.as_slice() {
        [batch] if batch.name == "ChangeBatch" => batch,
        _ => return Err(invalid("ChangeResourceRecordSetsRequest")),
    };
    let changes = match batch.children.as_slice() {
        [changes] if changes.name == "Changes" => changes,
        [comment, changes] if comment.name == "Comment" && changes.name == "Changes" => {
            if comment.text.chars().count() > 256 {
                return Err("Invalid XML ; cvc-maxLength-valid: the comment is too long".into());
            }
            changes
        }
        _ => return Err(invalid("ChangeBatch")),
    };
    if changes.children.is_empty() {
        return Err(invalid("Changes"));
    }
    changes.children.iter().map(change).collect()
}

/// The sets after all changes, or everything that is wrong with them.
pub(super) fn apply(
    zone: &Name,
    sets: &[RecordSet],
    changes: &[Change],
    protected: &dyn Fn(&Name, RecordType) -> bool,
) -> Result<Vec<RecordSet>, Vec<String>> {
    let counts = |c: &Change| if c.action == Action::Upsert { 2 } else { 1 };
    let elements: usize = changes.iter().map(|c| c.set.values.len() * counts(c)).sum();
    if elements > 1_000 {
        return Err(vec!["Number of records limit of 1000 exceeded.".into()]);
    }
    let length = |set: &RecordSet| set.values.iter().map(|value| value.chars().count()).sum::<usize>();
    if changes.iter().map(|c| length(&c.set) * counts(c)).sum::<usize>() > 32_000 {
        return Err(vec!["Number of characters limit of 32000 exceeded.".into()]);
    }
    let mut after = sets.to_vec();
    let mut errors = Vec::new();
    for change in changes {
        if protected(&change.set.name, change.set.rtype) {
            errors.push(format!("The resource record set {} is protected", key(&change.set)));
        } else if let Err(error) = one(zone, &mut after, change) {
            errors.push(error);
        }
    }
    if errors.is_empty() { Ok(after) } else { Err(errors) }
}

fn one(zone: &Name, sets: &mut Vec<RecordSet>, change: &Change) -> Result<(), String> {
    let Change { action, set } = change;
    let (name, apex) = (name_text(&set.name), set.name == *zone);
    if !set.name.is_at_or_below(zone) {
        return Err(format!("RRSet with DNS name {name} is not permitted in zone {}", name_text(zone)));
    }
    let at = sets.iter().position(|other| other.name == set.name && other.rtype == set.rtype);
    let found = at.and_then(|at| sets.get(at));
    if *action == Action::Delete {
        let Some(found) = found else {
            return Err(format!("Tried to delete resource record set {} but it was not found", key(set)));
        };
        if apex && set.rtype == RecordType::SOA {
            return Err("A HostedZone must contain exactly one SOA record.".into());
        }
        if apex && set.rtype == RecordType::NS {
            return Err("A HostedZone must contain at least one NS record for the zone itself.".into());
        }
        let sorted = |set: &RecordSet| {
            let mut values = set.values.clone();
            values.sort();
            values
        };
        if found.routing.is_some() || found.ttl != set.ttl || sorted(found) != sorted(set) {
            return Err(format!(
                "Tried to delete resource record set {} but the values provided do not match the current values",
                key(set)
            ));
        }
        sets.retain(|other| other.name != set.name || other.rtype != set.rtype);
        return Ok(());
    }
    valid(set)?;
    match (action, found) {
        (Action::Create, Some(_)) => {
            return Err(format!("Tried to create resource record set {} but it already exists", key(set)));
        }
        (Action::Upsert, Some(found)) if found.routing.is_some() => {
            return Err(format!(
                "RRSet with DNS name {name}, type {}, SetIdentifier null cannot be created as other RRSets exist with \
                 the same name and type, but with different SetIdentifier",
                set.rtype
            ));
        }
        _ => {}
    }
    let beside = sets.iter().filter(|other| other.name == set.name && other.rtype != set.rtype);
    let in_zone = name_text(zone);
    if set.rtype == RecordType::CNAME {
        if apex {
            return Err(format!("RRSet of type CNAME with DNS name {name} is not permitted at apex in zone {in_zone}"));
        }
        if beside.count() > 0 {
            return Err(format!(
                "RRSet of type CNAME with DNS name {name} is not permitted as it conflicts with other records with the \
                 same DNS name in zone {in_zone}"
            ));
        }
    } else if beside.into_iter().any(|other| other.rtype == RecordType::CNAME) {
        return Err(format!(
            "RRSet of type {} with DNS name {name} is not permitted because a conflicting RRSet of type CNAME with the \
             same DNS name already exists in zone {in_zone}",
            set.rtype
        ));
    }
    sets.retain(|other| other.name != set.name || other.rtype != set.rtype);
    sets.push(set.clone());
    Ok(())
}

/// What is wrong with the values of a set to store.
fn valid(set: &RecordSet) -> Result<(), String> {
    if set.values.len() > 400 {
        return Err("The number of resource records exceeds 400".into());
    }
    if set.rtype == RecordType::CNAME && set.values.len() > 1 {
        return Err(format!("RRSet of type CNAME with DNS name {} has more than one value", name_text(&set.name)));
    }
    for (at, value) in set.values.iter().enumerate() {
        let problem =
            |text: &str| Err(format!("Invalid Resource Record: 'FATAL problem: {text} encountered with '{value}''"));
        if set.values.iter().take(at).any(|other| other == value) {
            return Err(format!("Duplicate Resource Record: '{value}'"));
        }
        if value.chars().count() > 4_000 {
            return problem("TXTRDATATooLong (Value is too long)");
        }
        if matches!(set.rtype, RecordType::TXT | RecordType::SPF) {
            match strings(value) {
                None => return problem("InvalidTXTRDATA (Value should be enclosed in quotation marks)"),
                Some(lengths) if lengths.iter().any(|length| *length > 255) => {
                    return problem("CharacterStringTooLong (Value is too long)");
                }
                Some(_) => {}
            }
        }
        let quoted = set.rtype != RecordType::CAA || value.ends_with('"');
        if !quoted || read_value(set.rtype, value).is_none() {
            let rtype = set.rtype;
            return problem(&format!("{rtype}RRDATAIllegalFormat (Value does not match expected format)"));
        }
    }
    Ok(())
}

/// The octets of each quoted string; `None` unless the text is such strings with one blank between, in printable ASCII.
fn strings(text: &str) -> Option<Vec<usize>> {
    let mut lengths = Vec::new();
    let mut rest = text.bytes();
    loop {
        if rest.next()? != b'"' {
            return None;
        }
        let mut length = 0;
        loop {
            match rest.next()? {
                b'"' => break,
                b'\\' => match rest.next()? {
                    b'0'..=b'3' => {
                        let digits = [rest.next()?, rest.next()?];
                        if !digits.iter().all(|digit| (b'0'..=b'7').contains(digit)) {
                            return None;
                        }
                    }
                    b'4'..=b'9' => return None,
                    _ => {}
                },
                0x20..=0x7e => {}
                _ => return None,
            }
            length += 1;
        }
        lengths.push(length);
        match rest.next() {
            None => return Some(lengths),
            Some(b' ') => {}
            Some(_) => return None,
        }
    }
}

fn key(set: &RecordSet) -> String {
    format!("[name='{}', type='{}']", name_text(&set.name), set.rtype)
}

fn change(node: &Node) -> Result<Change, String> {
    let (action, set) = match node.children.as_slice() {
        [action, set] if action.name == "Action" && set.name == "ResourceRecordSet" => (action, set),
        _ => return Err(invalid("Change")),
    };
    let action = match action.text.as_str() {
        "CREATE" => Action::Create,
        "DELETE" => Action::Delete,
        "UPSERT" => Action::Upsert,
        other => return Err(format!("Invalid XML ; cvc-enumeration-valid: Value '{other}' is not facet-valid")),
    };
    Ok(Change { action, set: record_set(set)? })
}

fn record_set(node: &Node) -> Result<RecordSet, String> {
    let places: Option<Vec<usize>> =
        node.children.iter().map(|child| ORDER.iter().position(|name| *name == child.name)).collect();
    if !places.is_some_and(|places| places.is_sorted_by(|a, b| a < b)) {
        return Err(invalid("ResourceRecordSet"));
    }
    let child = |name: &str| node.children.iter().find(|child| child.name == name);
    let plain = ["Name", "Type", "TTL", "ResourceRecords"];
    if let Some(other) = node.children.iter().find(|child| !plain.contains(&child.name.as_str())) {
        return Err(format!("{} cannot be written at this emulated service", other.name));
    }
    let (Some(name), Some(rtype)) = (child("Name"), child("Type")) else { return Err(invalid("ResourceRecordSet")) };
    let name = read_name(&name.text).ok_or("Invalid XML ; FATAL problem: DomainNameError encountered")?;
    if !TYPES.contains(&rtype.text.as_str()) {
        return Err(format!("Invalid XML ; cvc-enumeration-valid: Value '{}' is not facet-valid", rtype.text));
    }
    let rtype: RecordType = rtype.text.parse().map_err(|_| invalid("Type"))?;
    let ttl = child("TTL").and_then(|ttl| ttl.text.parse().ok()).filter(|ttl| *ttl <= i32::MAX as u32);
    let Some(ttl) = ttl else { return Err("Missing field 'TTL' in Change with [Action, Name, Type]".into()) };
    let records = child("ResourceRecords").filter(|records| !records.children.is_empty());
    let records = records.ok_or_else(|| invalid("ResourceRecords"))?;
    let mut values = Vec::new();
    for record in &records.children {
        match record.children.as_slice() {
            [value] if record.name == "ResourceRecord" && value.name == "Value" => values.push(value.text.clone()),
            _ => return Err(invalid("ResourceRecord")),
        }
    }
    Ok(RecordSet { name, rtype, ttl: Some(ttl), values, routing: None })
}

fn invalid(element: &str) -> String {
    format!("Invalid XML ; cvc-complex-type.2.4: Invalid content was found in element '{element}'.")
}

/// The document's root; `None` unless it is well-formed.
fn parse(body: &[u8]) -> Option<Node> {
    let text = std::str::from_utf8(body).ok()?;
    let mut reader = Reader::from_str(text);
    let mut open: Vec<Node> = vec![Node::default()];
    loop {
        match reader.read_event().ok()? {
            Event::Start(start) => {
                let mut node = Node { name: start.local_name().as_ref().to_owned(), ..Node::default() };
                for attribute in start.attributes() {
                    let attribute = attribute.ok()?;
                    if attribute.key.as_ref() == "xmlns" {
                        node.namespace = Some(attribute.value.into_owned());
                    }
                }
                open.push(node);
            }
            Event::Empty(empty) => {
                let name = empty.local_name().as_ref().to_owned();
                open.last_mut()?.children.push(Node { name, ..Node::default() });
            }
            Event::End(_) => {
                let node = open.pop()?;
                open.last_mut()?.children.push(node);
            }
            Event::Text(text) => open.last_mut()?.text.push_str(&text),
            Event::GeneralRef(reference) => {
                let character = match reference.resolve_char_ref().ok()? {
                    Some(character) => character,
                    None => match &*reference {
                        "lt" => '<',
                        "gt" => '>',
                        "amp" => '&',
                        "quot" => '"',
                        "apos" => '\'',
                        _ => return None,
                    },
                };
                open.last_mut()?.text.push(character);
            }
            Event::Eof => break,
            _ => {}
        }
    }
    let mut document = open.pop()?;
    if !open.is_empty() || document.children.len() != 1 {
        return None;
    }
    document.children.pop()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(changes: &str) -> Vec<u8> {
        format!(
            "<ChangeResourceRecordSetsRequest xmlns=\"{NAMESPACE}\"><ChangeBatch><Changes>{changes}</Changes></ChangeBatch>\
             </ChangeResourceRecordSetsRequest>"
        )
        .into_bytes()
    }

    fn one_change(action: &str, owner: &str, rtype: &str, values: &[&str]) -> String {
        let values: String =
            values.iter().map(|v| format!("<ResourceRecord><Value>{v}</Value></ResourceRecord>")).collect();
        format!(
            "<Change><Action>{action}</Action><ResourceRecordSet><Name>{owner}</Name><Type>{rtype}</Type><TTL>60</TTL>\
             <ResourceRecords>{values}</ResourceRecords></ResourceRecordSet></Change>"
        )
    }

    fn outcome(sets: &[RecordSet], changes: &[String]) -> Result<Vec<RecordSet>, Vec<String>> {
        let changes = read(&request(&changes.concat())).map_err(|error| vec![error])?;
        apply(&Name::parse("example.com").unwrap(), sets, &changes, &|_, _| false)
    }

    #[test]
    fn what_the_service_refuses_is_refused() {
        let a = one_change("CREATE", "a.example.com", "A", &["192.0.2.1"]);
        let there = outcome(&[], std::slice::from_ref(&a)).unwrap();
        let cases: Vec<(Vec<String>, &str)> = vec![
            (
                vec![a.clone()],
                "Tried to create resource record set [name='a.example.com.', type='A'] but it already exists",
            ),
            (vec![one_change("DELETE", "b.example.com.", "A", &["192.0.2.1"])], "but it was not found"),
            (vec![one_change("DELETE", "a.example.com", "A", &["192.0.2.2"])], "do not match the current values"),
            (vec![one_change("CREATE", "t.example.com", "TXT", &["bare"])], "InvalidTXTRDATA"),
            (
                vec![one_change("CREATE", "t.example.com", "TXT", &["\"x\"", "\"x\""])],
                "Duplicate Resource Record: '\"x\"'",
            ),
            (
                vec![one_change("CREATE", "t.example.com", "TXT", &[&format!("\"{}\"", "x".repeat(256))])],
                "CharacterStringTooLong",
            ),
            (vec![one_change("CREATE", "t.example.com", "URI", &["x"])], "not facet-valid"),
            (vec![one_change("CREATE", "t.example.com", "A", &[])], "ResourceRecords"),
            (vec![one_change("CREATE", "example.org", "A", &["192.0.2.1"])], "is not permitted in zone example.com."),
            (vec![one_change("CREATE", "a.example.com", "CNAME", &["b"])], "conflicts with other records"),
            (vec![one_change("CREATE", "t.example.com", "MX", &["mail"])], "MXRRDATAIllegalFormat"),
        ];
        for (changes, message) in cases {
            let errors = outcome(&there, &changes).unwrap_err();
            assert!(errors.iter().any(|error| error.contains(message)), "{errors:?} without {message}");
        }
    }

    #[test]
    fn order_of_elements_matters() {
        let change = "<Change><ResourceRecordSet><Name>a</Name></ResourceRecordSet><Action>CREATE</Action></Change>";
        assert!(read(&request(change)).unwrap_err().contains("'Change'"));
        let set = "<Change><Action>CREATE</Action><ResourceRecordSet><Type>A</Type><Name>a</Name></ResourceRecordSet></Change>";
        assert!(read(&request(set)).unwrap_err().contains("'ResourceRecordSet'"));
        assert!(read(b"<ChangeResourceRecordSetsRequest/>").is_err());
        assert!(read(b"<a>").is_err());
    }

    #[test]
    fn upsert_counts_twice() {
        let many = |action: &str| {
            let changes: String =
                (0..501).map(|i| one_change(action, &format!("n{i}.example.com"), "A", &["192.0.2.1"])).collect();
            outcome(&[], &[changes])
        };
        assert_eq!(many("CREATE").unwrap().len(), 501);
        assert_eq!(many("UPSERT").unwrap_err(), ["Number of records limit of 1000 exceeded."]);
    }

    #[test]
    fn a_batch_is_all_or_nothing_and_changes_places() {
        let cname = one_change("CREATE", "x.example.com", "CNAME", &["y.example.net"]);
        let there = outcome(&[], std::slice::from_ref(&cname)).unwrap();
        let swap = [cname.replace("CREATE", "DELETE"), one_change("CREATE", "x.example.com", "TXT", &["\"t\""])];
        assert_eq!(outcome(&there, &swap).unwrap().len(), 1);
        let bad = [cname.replace("CREATE", "DELETE"), one_change("DELETE", "z.example.com", "TXT", &["\"t\""])];
        assert_eq!(outcome(&there, &bad).unwrap_err().len(), 1);
    }
}
