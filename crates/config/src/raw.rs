//! A parsed file, still as TOML, with places.

use std::collections::HashSet;
use std::ops::Range;
use std::sync::Arc;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::diagnostic::{Diagnostic, Severity};
use crate::domain::Date;
use crate::source::{Place, SourceFile};
use crate::texts::Fault;

/// A value of a file.
#[derive(Clone)]
pub(crate) struct Node<'a> {
    pub(crate) value: &'a DeValue<'a>,
    pub(crate) span: Range<usize>,
    pub(crate) file: &'a Arc<SourceFile>,
}

/// All diagnostics of a run, each once.
#[derive(Default)]
pub(crate) struct Report {
    list: Vec<Diagnostic>,
    seen: HashSet<(usize, u32, String)>,
    /// Errors beyond [`MAX_ERRORS`].
    dropped: usize,
}

/// More than a person would read; what is beyond is counted.
const MAX_ERRORS: usize = 200;

impl Report {
    /// Adds one, unless the same was said of the same place before.
    pub(crate) fn add(&mut self, diagnostic: Diagnostic) {
        if let Some(place) = &diagnostic.place {
            let key = (Arc::as_ptr(&place.source) as usize, place.start, diagnostic.message.clone());
            if !self.seen.insert(key) {
                return;
            }
        }
        if diagnostic.severity == Severity::Error && self.is_full() {
            self.dropped += 1;
        } else {
            self.list.push(diagnostic);
        }
    }

    /// Whether further errors are counted and no more told.
    pub(crate) fn is_full(&self) -> bool {
        self.list.len() >= MAX_ERRORS
    }

    pub(crate) fn has_errors(&self) -> bool {
        self.list.iter().any(|diagnostic| diagnostic.severity == Severity::Error)
    }

    /// By file in the order given and by place.
    pub(crate) fn finish(mut self, files: &[Arc<SourceFile>]) -> Vec<Diagnostic> {
        let order = |diagnostic: &Diagnostic| {
            let place = diagnostic.place.as_ref();
            let file = place.and_then(|place| files.iter().position(|file| Arc::ptr_eq(file, &place.source)));
            (file.unwrap_or(usize::MAX), place.map_or(0, |place| place.start))
        };
        self.list.sort_by_key(order);
        if self.dropped > 0 {
            self.list.push(Diagnostic::error(format!("and {} more errors", self.dropped)));
        }
        self.list
    }
}

impl<'a> Node<'a> {
    pub(crate) fn new(value: &'a Spanned<DeValue<'a>>, file: &'a Arc<SourceFile>) -> Self {
        Self { value: value.get_ref(), span: value.span(), file }
    }

    pub(crate) fn place(&self) -> Place {
        self.file.place(self.span.clone())
    }

    pub(crate) fn text(&self) -> Option<&'a str> {
        self.value.as_str()
    }

    pub(crate) fn bool(&self) -> Option<bool> {
        self.value.as_bool()
    }

    pub(crate) fn integer(&self) -> Option<i64> {
        integer(self.value)
    }

    /// An integer or a number with a fraction; no infinity, no NaN.
    pub(crate) fn number(&self) -> Option<f64> {
        match self.integer() {
            Some(integer) => Some(integer as f64),
            None => self.value.as_float()?.as_str().parse::<f64>().ok().filter(|number| number.is_finite()),
        }
    }

    pub(crate) fn date(&self) -> Option<Date> {
        date(self.value)
    }

    pub(crate) fn table(&self) -> Option<&'a DeTable<'a>> {
        self.value.as_table()
    }

    /// The elements of a list; none for anything else.
    pub(crate) fn items(&self) -> impl Iterator<Item = Node<'a>> + use<'a> {
        let file = self.file;
        self.value.as_array().into_iter().flatten().map(move |item| Node::new(item, file))
    }

    /// The value of a key of this table.
    pub(crate) fn get(&self, key: &str) -> Option<Node<'a>> {
        self.table()?.get(key).map(|value| Node::new(value, self.file))
    }

    /// The entries of this table: key, place of the key, value.
    pub(crate) fn entries(&self) -> impl Iterator<Item = (&'a str, Place, Node<'a>)> + use<'a> {
        let file = self.file;
        let table = self.table().into_iter().flatten();
        table.map(move |(key, value)| (key.get_ref().as_ref(), file.place(key.span()), Node::new(value, file)))
    }

    /// What is wrong with this string, pointed at inside it where it is written as it is meant.
    pub(crate) fn faults(&self, key: &str, fault: Fault, report: &mut Report) {
        let place = match &fault.at {
            Some(at) => self.inside(at.clone()),
            None => self.place(),
        };
        let mut diagnostic = Diagnostic::error(format!("`{key}`: {}", fault.message)).at(place);
        diagnostic.help = fault.help.map(|help| crate::escape::line(&help).into_owned());
        report.add(diagnostic);
        for more in fault.more {
            self.faults(key, more, report);
        }
    }

    /// The place of some octets of this string: exact if it stands in one line without escapes.
    pub(crate) fn inside(&self, at: Range<usize>) -> Place {
        let written = self.file.text().get(self.span.clone()).unwrap_or("");
        let inner = written.get(1..written.len().saturating_sub(1)).unwrap_or("");
        if self.text() == Some(inner) && at.end <= inner.len() {
            let start = self.span.start + 1;
            // An empty stretch is where something is missing: the last octet before it is marked.
            let from = if at.is_empty() && at.start == inner.len() { at.start.saturating_sub(1) } else { at.start };
            return self.file.place(start + from..start + at.end.max(from));
        }
        self.place()
    }
}

pub(crate) fn integer(value: &DeValue<'_>) -> Option<i64> {
    let integer = value.as_integer()?;
    i64::from_str_radix(integer.as_str(), integer.radix()).ok()
}

/// A local date without a time.
pub(crate) fn date(value: &DeValue<'_>) -> Option<Date> {
    let datetime = value.as_datetime()?;
    let date = datetime.date.filter(|_| datetime.time.is_none() && datetime.offset.is_none())?;
    Some(Date { year: date.year, month: date.month, day: date.day })
}
