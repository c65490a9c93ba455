//! The stages of a log query over batches of rows.
//!
//! Line filters that stand before anything that changes lines run first, over the whole column and
//! whatever their place among parsers and label filters: dropping rows early changes no answer. What
//! is left of the selection goes row by row through the other stages.

use skald_model::{Labels, Rows};

use crate::{
    error::QueryError,
    row::{LineBuffer, Names, RowLabels, StreamView},
    stage::{self, LineFilterExec, Needed, RowContext, StageExec},
    syntax::ast::LogExpr,
};

/// The compiled stages of one query and the memory they work in.
#[derive(Debug)]
pub(crate) struct Program {
    leading: Vec<LineFilterExec>,
    stages: Vec<StageExec>,
    pub(crate) names: Names,
    line: LineBuffer,
    labels: RowLabels,
    scratch: Vec<u8>,
}

/// A row that passed all stages.
pub(crate) struct Passed<'a> {
    /// Which row of the batch.
    pub(crate) row: usize,
    pub(crate) view: &'a StreamView<'a>,
    pub(crate) line: &'a [u8],
    pub(crate) labels: &'a mut RowLabels,
    pub(crate) names: &'a mut Names,
}

impl Program {
    /// Compiles the stages of `log`. `names` holds what the caller has named already; `needed` is what it uses of labels.
    pub(crate) fn compile(log: &LogExpr, mut names: Names, needed: Needed) -> Result<Self, QueryError> {
        let mut stages = stage::compile(log, &mut names, needed).map_err(QueryError::BadRequest)?;
        let mut leading = Vec::new();
        let movable = stages.iter().position(StageExec::changes_line).unwrap_or(stages.len());
        let rest = stages.split_off(movable);
        stages.retain_mut(|stage| match stage {
            StageExec::LineFilter(filter) => {
                leading.push(filter.clone());
                false
            }
            _ => true,
        });
        stages.extend(rest);
        names.fix();
        Ok(Self {
            leading,
            stages,
            names,
            line: LineBuffer::default(),
            labels: RowLabels::default(),
            scratch: Vec::new(),
        })
    }

    /// True when some stage reads lines.
    pub(crate) fn reads_lines(&self) -> bool {
        !self.leading.is_empty() || self.stages.iter().any(StageExec::reads_line)
    }

    /// True when rows that pass the line filters pass, with the labels they came with.
    pub(crate) fn only_line_filters(&self) -> bool {
        self.stages.is_empty()
    }

    /// Narrows an ascending selection by the line filters that run over columns.
    pub(crate) fn filter_lines(&self, rows: &Rows, selection: &mut Vec<u32>) {
        for filter in &self.leading {
            if selection.is_empty() {
                return;
            }
            filter.select(&rows.lines, selection);
        }
    }

    /// What rows of a run share.
    pub(crate) fn view<'a>(&mut self, labels: &'a Labels, rows: &'a Rows) -> StreamView<'a> {
        StreamView::new(labels, &rows.metadata, &mut self.names)
    }

    /// Runs the other stages over rows of one stream, selected and already through [`Self::filter_lines`].
    pub(crate) fn run<E>(
        &mut self,
        rows: &Rows,
        view: &StreamView<'_>,
        selection: &[u32],
        mut passed: impl FnMut(Passed<'_>) -> Result<(), E>,
    ) -> Result<(), E> {
        for &row in selection {
            let i = row as usize;
            self.labels.reset(i);
            self.line.reset();
            let original = rows.lines.get(i);
            let mut context = RowContext {
                original,
                timestamp: rows.timestamps[i],
                view,
                line: &mut self.line,
                labels: &mut self.labels,
                names: &mut self.names,
                scratch: &mut self.scratch,
            };
            if self.stages.iter_mut().all(|stage| stage.run(&mut context)) {
                let line = self.line.get(original);
                passed(Passed { row: i, view, line, labels: &mut self.labels, names: &mut self.names })?;
            }
        }
        Ok(())
    }

    /// To be called between batches: keeps the table of names bounded. True when numbers of names begin anew.
    pub(crate) fn end_batch(&mut self) -> bool {
        self.names.trim()
    }
}

/// Splits an ascending selection into the parts of the runs of `rows`; parts without rows are left out.
pub(crate) fn selected_runs<'a>(rows: &'a Rows, selection: &'a [u32]) -> impl Iterator<Item = (&'a Labels, &'a [u32])> {
    let mut rest = selection;
    rows.streams().filter_map(move |(labels, range)| {
        let count = rest.partition_point(|row| (*row as usize) < range.end);
        let (here, behind) = rest.split_at(count);
        rest = behind;
        (!here.is_empty()).then_some((labels, here))
    })
}

/// Which rows of a batch pass the stages of a log query: for whoever narrows rows before they travel.
#[derive(Debug)]
pub struct Pipeline {
    program: Program,
    needs_metadata: bool,
}

impl Pipeline {
    /// Compiles the stages of `log`; its matchers are the caller's business.
    ///
    /// # Errors
    /// What is wrong with a pattern, template or regular expression.
    pub fn compile(log: &LogExpr) -> Result<Self, QueryError> {
        // Only the decision is asked for, no label of the result.
        let program = Program::compile(log, Names::new(), Needed::none())?;
        let needs_metadata = !program.only_line_filters();
        Ok(Self { program, needs_metadata })
    }

    /// Replaces `out` by the rows that pass, ascending.
    ///
    /// # Errors
    /// None at present; reserved for stages with a budget.
    pub fn select(&mut self, rows: &Rows, out: &mut Vec<u32>) -> Result<(), QueryError> {
        out.clear();
        out.extend(0..rows.len() as u32);
        self.program.filter_lines(rows, out);
        if self.program.only_line_filters() {
            return Ok(());
        }
        let candidates = std::mem::take(out);
        for (labels, selected) in selected_runs(rows, &candidates) {
            let view = self.program.view(labels, rows);
            self.program.run(rows, &view, selected, |passed| {
                out.push(passed.row as u32);
                Ok::<(), QueryError>(())
            })?;
        }
        self.program.end_batch();
        Ok(())
    }

    /// True when the decision depends on lines.
    pub fn needs_lines(&self) -> bool {
        self.program.reads_lines()
    }

    /// True when the decision may depend on structured metadata.
    pub fn needs_metadata(&self) -> bool {
        self.needs_metadata
    }
}
