//! Changes to single lines: what a change does not concern stays byte for byte.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap, HashSet};

use super::layout::{Layout, NewLine, Patch, new_line};
use super::ttl::BindTtls;
use super::{FALLBACK_TTL, Record, ZoneFile, raise_serial, relative};
use crate::{Name, RRset, RRsetKey, Rdata, RecordType, Soa, Ttl};

/// What becomes of one RRset.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SetChange {
    /// Owner name.
    pub name: Name,
    /// Record type.
    pub rtype: RecordType,
    /// Data that goes; all of it has to be there.
    pub remove: Vec<Rdata>,
    /// Data that comes; what is there already is left as it is.
    pub add: Vec<Rdata>,
    /// The TTL of what comes. `None`: the set's, for a new set the zone's default.
    pub ttl: Option<Ttl>,
    /// Whether the records that stay get `ttl` too.
    pub retime: bool,
}

/// Why a zone file was not changed. Nothing was lost: there is no new text.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum EditError {
    /// A record to be removed is not there: the zone is not what the change was made for. Read it again.
    #[error("{key} has no record `{rdata}`")]
    NotFound {
        /// The set.
        key: RRsetKey,
        /// The data that is missing.
        rdata: Box<Rdata>,
    },
    /// The caller's fault: two changes of one set.
    #[error("two changes of {key}")]
    Repeated {
        /// The set.
        key: RRsetKey,
    },
    /// The caller's fault: a name outside the zone, or data of another type.
    #[error("{key} cannot hold `{rdata}`")]
    Misplaced {
        /// The set.
        key: RRsetKey,
        /// The data.
        rdata: Box<Rdata>,
    },
    /// The SOA record changes with its serial only.
    #[error("the SOA record of a zone file is not changed, but for its serial")]
    Soa,
    /// Name servers read the TTL of a record differently (see [`ZoneFile::ambiguous_ttl`]): what writes
    /// one reading down changes what another server serves. The file needs a `$TTL`.
    #[error("{name} has no TTL of its own, and name servers read the lines above it differently")]
    AmbiguousTtl {
        /// The record's owner.
        name: Name,
    },
    /// The new text would not hold the records wanted: data whose text no zone file can hold (only
    /// [`Opaque::Text`](crate::Opaque::Text) can be such), or a bug. Trying again does not help.
    #[error("the changed zone file would not hold the records wanted: {reason}")]
    Mismatch {
        /// What differs.
        reason: Box<str>,
    },
}

impl SetChange {
    /// The change from one state of an RRset to another; `None` if nothing changes or both are `None`.
    /// Both are states of the same set.
    pub fn between(before: Option<&RRset>, after: Option<&RRset>) -> Option<Self> {
        let set = after.or(before)?;
        let data = |set: Option<&RRset>| -> Vec<Rdata> {
            set.map(|s| s.values.iter().map(|v| v.rdata.clone()).collect()).unwrap_or_default()
        };
        let (old, new) = (data(before), data(after));
        let ttl = after.and_then(|a| a.ttl);
        let retime = ttl.is_some() && before.is_some_and(|b| b.ttl != ttl);
        let change = Self {
            name: set.name.clone(),
            rtype: set.rtype,
            remove: old.iter().filter(|v| !new.contains(v)).cloned().collect(),
            add: new.iter().filter(|v| !old.contains(v)).cloned().collect(),
            ttl,
            retime,
        };
        (retime || !change.remove.is_empty() || !change.add.is_empty()).then_some(change)
    }

    fn key(&self) -> RRsetKey {
        RRsetKey { name: self.name.clone(), rtype: self.rtype }
    }
}

impl ZoneFile {
    /// The file's text after `changes`; `today` (year, month, day) is for a serial with a date in it.
    ///
    /// Only lines that a change concerns differ. An update takes the place and the look of a line removed;
    /// new data goes behind the last record of its set, else of its name, else to the end of the file. A
    /// line that would inherit another owner or TTL than before, because the line above it changed, gets
    /// it written in. Without `$TTL`, new data whose TTL the lines below would inherit goes to the end of the
    /// file. If any record changes, the SOA serial is raised ([`raise_serial`]).
    ///
    /// The text was read again and holds exactly the records wanted. Changes without effect give the
    /// same text.
    pub fn edit(&self, changes: &[SetChange], today: (i32, u8, u8)) -> Result<Vec<u8>, EditError> {
        let plan = Plan::new(self, changes)?;
        if plan.ops.is_empty() && plan.added.is_empty() && plan.appended.is_empty() {
            return Ok(self.text.to_vec());
        }
        if let Some(record) = self.ambiguous_ttl() {
            return Err(EditError::AmbiguousTtl { name: record.owner.clone() });
        }
        let serial = self.soa().map(|soa| (raise_serial(soa.serial, today), soa));
        let mut writer = Writer::new(self);
        for (i, record) in self.records.iter().enumerate() {
            match plan.ops.get(&i) {
                Some(Op::Delete) => writer.delete(record),
                Some(Op::Replace(rdata, ttl)) => writer.keep(record, Some(rdata), *ttl, None),
                Some(Op::Retime(ttl)) => writer.keep(record, None, Some(*ttl), None),
                None if self.soa == Some(i) => writer.keep(record, None, None, serial),
                None => writer.keep(record, None, None, None),
            }
            for new in plan.added.get(&i).into_iter().flatten() {
                writer.insert(Some(record), new);
            }
        }
        for new in &plan.appended {
            writer.append(new);
        }
        writer.finish()
    }
}

/// What happens to one record.
enum Op<'c> {
    Delete,
    Replace(&'c Rdata, Option<Ttl>),
    Retime(Ttl),
}

/// A record that comes without a line of its own to replace.
struct Addition<'c> {
    name: &'c Name,
    rdata: &'c Rdata,
    ttl: Ttl,
}

/// What happens to which record, by its number in the file.
struct Plan<'c> {
    ops: BTreeMap<usize, Op<'c>>,
    added: BTreeMap<usize, Vec<Addition<'c>>>,
    appended: Vec<Addition<'c>>,
}

impl<'c> Plan<'c> {
    fn new(file: &ZoneFile, changes: &'c [SetChange]) -> Result<Self, EditError> {
        let mut plan = Self { ops: BTreeMap::new(), added: BTreeMap::new(), appended: Vec::new() };
        // The records of the names that change: their numbers in the file.
        let mut records: HashMap<&Name, Vec<usize>> = HashMap::new();
        let mut seen = HashSet::new();
        for change in changes {
            if !seen.insert((&change.name, change.rtype)) {
                return Err(EditError::Repeated { key: change.key() });
            }
            if change.rtype == RecordType::SOA {
                return Err(EditError::Soa);
            }
            let outside = !change.name.is_at_or_below(&file.zone);
            if let Some(rdata) = change.add.iter().find(|r| outside || r.rtype() != change.rtype) {
                return Err(EditError::Misplaced { key: change.key(), rdata: Box::new(rdata.clone()) });
            }
            records.entry(&change.name).or_default();
        }
        for (i, record) in file.records.iter().enumerate() {
            if let Some(list) = records.get_mut(&record.owner) {
                list.push(i);
            }
        }
        for change in changes {
            let of_name = records.get(&change.name).map(Vec::as_slice).unwrap_or_default();
            plan.change(file, change, of_name)?;
        }
        plan.part_from_heirs(file);
        Ok(plan)
    }

    /// Moves what would pass its TTL on to the line below it to the end of the file.
    fn part_from_heirs(&mut self, file: &ZoneFile) {
        for (anchor, list) in &mut self.added {
            let rest = file.records.iter().enumerate().skip(anchor + 1);
            let below = rest.map(|(i, r)| (self.ops.get(&i), r)).find(|(op, _)| !matches!(op, Some(Op::Delete)));
            let Some((_, heir)) = below else { continue };
            if heir.ttl_explicit || file.directive_ttl_at(heir.start as usize).is_some() {
                continue;
            }
            self.appended.extend(list.extract_if(.., |new| new.ttl != heir.ttl));
        }
        self.added.retain(|_, list| !list.is_empty());
    }

    fn change(&mut self, file: &ZoneFile, change: &'c SetChange, of_name: &[usize]) -> Result<(), EditError> {
        let record = |i: &usize| file.records.get(*i);
        let members: Vec<(usize, &Record)> = of_name
            .iter()
            .filter_map(|i| Some((*i, record(i)?)))
            .filter(|(_, r)| r.rdata.rtype() == change.rtype)
            .collect();
        if let Some(missing) = change.remove.iter().find(|r| !members.iter().any(|(_, m)| m.rdata == **r)) {
            return Err(EditError::NotFound { key: change.key(), rdata: Box::new(missing.clone()) });
        }
        let goes = |rdata: &Rdata| change.remove.contains(rdata) && !change.add.contains(rdata);
        let mut coming: Vec<&Rdata> = Vec::new();
        for rdata in &change.add {
            if !coming.contains(&rdata) && !members.iter().any(|(_, m)| m.rdata == *rdata) {
                coming.push(rdata);
            }
        }
        let mut coming = coming.into_iter();
        for (i, member) in &members {
            if goes(&member.rdata) {
                let op = coming.next().map_or(Op::Delete, |rdata| Op::Replace(rdata, change.ttl));
                self.ops.insert(*i, op);
            } else if change.retime
                && let Some(ttl) = change.ttl.filter(|ttl| *ttl != member.ttl)
            {
                self.ops.insert(*i, Op::Retime(ttl));
            }
        }
        let set_ttl = change.ttl.or_else(|| members.first().map(|(_, m)| m.ttl));
        let ttl = set_ttl.or_else(|| file.default_ttl()).unwrap_or(FALLBACK_TTL);
        let additions = coming.map(|rdata| Addition { name: &change.name, rdata, ttl });
        match members.last().map(|(i, _)| *i).or_else(|| of_name.last().copied()) {
            Some(anchor) => self.added.entry(anchor).or_default().extend(additions),
            None => self.appended.extend(additions),
        }
        self.added.retain(|_, list| !list.is_empty());
        Ok(())
    }
}

/// Writes the new text, and keeps in mind what a line without owner or TTL would inherit there.
struct Writer<'f> {
    file: &'f ZoneFile,
    out: Vec<u8>,
    /// How much of the old text is written or dropped.
    at: usize,
    owner: Option<&'f Name>,
    /// The owner's record, if its line is in the new text as it was: for its spelling.
    carrier: Option<&'f Record>,
    last_ttl: Option<Ttl>,
    /// What BIND takes (see [`ZoneFile::ambiguous_ttl`]).
    bind: Option<BindTtls<'f>>,
    /// The records that the new text should have.
    wanted: Vec<(&'f Name, Ttl, Cow<'f, Rdata>)>,
}

impl<'f> Writer<'f> {
    fn new(file: &'f ZoneFile) -> Self {
        Self {
            file,
            out: Vec::with_capacity(file.text.len() + 1024),
            at: 0,
            owner: None,
            carrier: None,
            last_ttl: None,
            bind: BindTtls::of(file),
            wanted: Vec::with_capacity(file.records.len() + 16),
        }
    }

    /// Writes the old text up to `end`.
    fn copy_to(&mut self, end: usize) {
        self.out.extend_from_slice(self.file.text.get(self.at..end).unwrap_or_default());
        self.at = self.at.max(end);
    }

    fn delete(&mut self, record: &'f Record) {
        self.copy_to(record.start as usize);
        self.at = record.end as usize;
        if !record.owner_inherited {
            self.carrier = Some(record);
        }
    }

    /// Writes a record's lines, changed where something is given or something inherited would change.
    fn keep(&mut self, record: &'f Record, data: Option<&'f Rdata>, ttl: Option<Ttl>, serial: Option<(u32, &'f Soa)>) {
        let ttl = ttl.unwrap_or(record.ttl);
        let start = record.start as usize;
        let mut patch = Patch { owner: None, ttl: None, data, serial: serial.map(|(serial, _)| serial) };
        if !record.owner_inherited {
            self.carrier = Some(record);
        } else if !self.inherits(&record.owner) {
            patch.owner = Some(self.owner_text(record));
        }
        let in_line = if record.ttl_explicit { Some(record.ttl) } else { None };
        if in_line.or_else(|| self.inherited_ttl(start, &record.owner, record.rdata.rtype())) != Some(ttl) {
            patch.ttl = Some(ttl);
        }
        let explicit = record.ttl_explicit || patch.ttl.is_some();
        self.pass_ttl(start, &record.owner, &record.rdata, ttl, explicit);
        self.owner = Some(&record.owner);
        let rdata = match (data, serial) {
            (Some(data), _) => Cow::Borrowed(data),
            (None, Some((serial, soa))) => Cow::Owned(Rdata::Soa(Box::new(Soa { serial, ..soa.clone() }))),
            (None, None) => Cow::Borrowed(&record.rdata),
        };
        self.wanted.push((&record.owner, ttl, rdata));
        let untouched = patch.owner.is_none() && patch.ttl.is_none() && data.is_none() && serial.is_none();
        if !untouched && let Some(layout) = Layout::of(self.file, record) {
            self.copy_to(start);
            let lines = layout.patched(&patch, self.file.origin_at(start));
            self.out.extend_from_slice(&lines);
            self.at = record.end as usize;
        }
    }

    /// Writes a new line behind the record `anchor`, in its look.
    fn insert(&mut self, anchor: Option<&'f Record>, new: &Addition<'f>) {
        let place = anchor.map_or(self.file.text.len(), |a| a.end as usize);
        self.copy_to(place);
        let newline = self.newline();
        if self.out.last().is_some_and(|b| *b != b'\n') {
            self.out.extend_from_slice(newline);
        }
        let origin = self.file.origin_at(place);
        let template = anchor.or_else(|| self.file.records.last());
        let spelled = template.filter(|t| t.owner == *new.name);
        let name = spelled.map_or(new.name, |t| &t.owner);
        let line = NewLine {
            name,
            rdata: new.rdata,
            ttl: new.ttl,
            needs_ttl: template.is_some_and(|t| t.ttl_explicit)
                || self.inherited_ttl(place, name, new.rdata.rtype()) != Some(new.ttl),
            same_owner: spelled.is_some_and(|t| self.file.origin_at(t.start as usize).eq_case(origin)),
            may_inherit: self.inherits(name),
            origin,
            newline,
        };
        let layout = template.and_then(|record| Layout::of(self.file, record));
        self.out.extend_from_slice(&layout.map_or_else(|| new_line(&line), |layout| layout.line_like(&line)));
        self.pass_ttl(place, name, new.rdata, new.ttl, line.needs_ttl);
        self.owner = Some(name);
        self.carrier = None;
        self.wanted.push((name, new.ttl, Cow::Borrowed(new.rdata)));
    }

    fn append(&mut self, new: &Addition<'f>) {
        self.insert(None, new);
    }

    /// The text, once it has been read again and compared.
    fn finish(mut self) -> Result<Vec<u8>, EditError> {
        self.copy_to(self.file.text.len());
        let mismatch = |reason: String| EditError::Mismatch { reason: reason.into() };
        let file = ZoneFile::parse(&self.out, &self.file.zone).map_err(|errors| mismatch(errors.to_string()))?;
        for (record, (name, ttl, rdata)) in file.records.iter().zip(&self.wanted) {
            if record.owner != **name || record.ttl != *ttl || record.rdata != **rdata {
                return Err(mismatch(format!(
                    "`{} {} {}` where `{name} {ttl} {rdata}` should be",
                    record.owner, record.ttl, record.rdata
                )));
            }
        }
        if file.records.len() != self.wanted.len() {
            return Err(mismatch(format!("{} records instead of {}", file.records.len(), self.wanted.len())));
        }
        if let Some(record) = file.ambiguous_ttl() {
            return Err(EditError::AmbiguousTtl { name: record.owner.clone() });
        }
        Ok(self.out)
    }

    /// Whether a line without an owner has this one here, in this case: BIND tells them apart.
    fn inherits(&self, owner: &Name) -> bool {
        self.owner.is_some_and(|above| above.eq_case(owner))
    }

    /// How the owner of a line that inherited it is written: as it was, if the origin is the same.
    fn owner_text(&self, record: &Record) -> String {
        let origin = self.file.origin_at(record.start as usize);
        let spelling = self
            .carrier
            .filter(|c| c.owner.eq_case(&record.owner) && self.file.origin_at(c.start as usize).eq_case(origin))
            .and_then(|c| Layout::of(self.file, c)?.owner());
        spelling.unwrap_or_else(|| relative(&record.owner, origin))
    }

    /// The TTL that a line without one has at `place`; `None` where name servers disagree.
    fn inherited_ttl(&self, place: usize, owner: &Name, rtype: RecordType) -> Option<Ttl> {
        if let Some(directive) = self.file.directive_ttl_at(place) {
            return Some(directive);
        }
        let ttl = self.last_ttl.unwrap_or(self.file.fallback_ttl);
        let bind = self.bind.as_ref().and_then(|bind| bind.inherited(owner, rtype));
        bind.is_none_or(|read| read == ttl).then_some(ttl)
    }

    /// Keeps in mind what the lines below `place` inherit from a record there.
    fn pass_ttl(&mut self, place: usize, owner: &'f Name, rdata: &'f Rdata, ttl: Ttl, explicit: bool) {
        if explicit {
            self.last_ttl = Some(ttl);
        }
        if self.file.directive_ttl_at(place).is_none()
            && let Some(bind) = &mut self.bind
        {
            bind.pass(owner, rdata, ttl, explicit);
        }
    }

    fn newline(&self) -> &'static [u8] {
        let text = &self.file.text;
        let first = text.iter().position(|&b| b == b'\n');
        let before = first.and_then(|n| text.get(n.checked_sub(1)?));
        if before == Some(&b'\r') { b"\r\n" } else { b"\n" }
    }
}
