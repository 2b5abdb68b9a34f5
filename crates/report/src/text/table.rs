//! Tables of plain text.

use crate::escape;
use crate::style::{Label, Line, Page};

/// Rows in columns. Every row begins with a mark of the program's own.
#[derive(Debug, Default)]
pub(super) struct Table {
    head: Vec<(&'static str, Align)>,
    rows: Vec<(Label, &'static str, Vec<String>)>,
}

/// Where a column's text stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Align {
    Left,
    Right,
}

impl Table {
    pub(super) fn new(head: &[(&'static str, Align)]) -> Self {
        Self { head: head.to_vec(), rows: Vec::new() }
    }

    /// A row; `mark` is one character.
    pub(super) fn row(&mut self, label: Label, mark: &'static str, cells: Vec<String>) {
        // Escaped here, for the width is that of what is shown.
        let cells = cells.iter().map(|cell| escape::line(cell).into_owned()).collect();
        self.rows.push((label, mark, cells));
    }

    pub(super) fn show(&self, page: &mut Page) {
        let width = |column: usize| {
            let cells = self.rows.iter().filter_map(|(_, _, cells)| cells.get(column));
            let widest = cells.map(|cell| cell.chars().count()).max().unwrap_or(0);
            widest.max(self.head.get(column).map_or(0, |(title, _)| title.len()))
        };
        let widths: Vec<usize> = (0..self.head.len()).map(width).collect();
        let titles: Vec<String> = self.head.iter().map(|(title, _)| (*title).to_owned()).collect();
        page.whole(&Line::new(4).put(Label::Muted, self.text(&titles, &widths)));
        for (label, mark, cells) in &self.rows {
            page.whole(&Line::new(2).put(*label, *mark).plain(" ").plain(self.text(cells, &widths)));
        }
    }

    fn text(&self, cells: &[String], widths: &[usize]) -> String {
        let mut text = String::new();
        for ((cell, (_, align)), width) in cells.iter().zip(&self.head).zip(widths) {
            let blanks = " ".repeat(width.saturating_sub(cell.chars().count()));
            match align {
                Align::Left => text.extend([cell.as_str(), &blanks]),
                Align::Right => text.extend([blanks.as_str(), cell]),
            }
            text.push_str("  ");
        }
        text.trim_end().to_owned()
    }
}
