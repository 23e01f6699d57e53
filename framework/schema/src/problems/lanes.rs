//! The part of the check that concerns how rows and inputs travel: lanes, detail, queries, inputs, predictions.

use super::Problems;
use crate::INPUT_REDUCERS_MAX;
use crate::description::{ModuleDescription, ReducerDef, ReducerKind, RowDef, RowKind, Visibility};

impl Problems<'_> {
    /// Which way a row type's changes go, and to whom.
    pub(super) fn lanes(&mut self, place: &str, row: &RowDef) {
        let event = row.kind == RowKind::Event;
        if event && (row.latest.is_some() || row.detail || row.on_demand) {
            return self
                .add(place, "an event is sent once, in order: it is neither latest, detail nor on_demand");
        }
        if row.latest == Some(true) && !row.can_be_latest() {
            self.add(
                place,
                "only rows of fixed size can be latest: put texts, lists and options into another row type",
            );
        }
        if row.detail && (row.visible != Visibility::Near || row.spatial.is_some()) {
            self.add(
                place,
                "detail is for what is visible = near, and not for what says where the entity is",
            );
        }
        if row.on_demand && row.detail {
            self.add(place, "rows that are on_demand go to whoever asks for them; leave detail out");
        }
        if row.on_demand && row.visible == Visibility::Nobody {
            self.add(
                place,
                "nobody may see these rows, so nobody can ask for them: say to whom they are visible",
            );
        }
    }

    /// What an input reducer may not have.
    pub(super) fn input(&mut self, place: &str, reducer: &ReducerDef) {
        if reducer.kind != ReducerKind::Input {
            return;
        }
        if let Some(param) = reducer.params.iter().find(|param| !param.ty.is_flat()) {
            let place = format!("{place}.{}", param.name);
            self.add(place, "an input's arguments have a fixed size: texts, lists and options go by a call");
        }
        if reducer.returns.is_some() {
            self.add(place, "an input returns nothing: nobody waits for it");
        }
        if reducer.private {
            self.add(place, "an input is sent by clients, so it can't be private");
        }
        if reducer.rate.is_some() {
            self.add(place, "an input runs at most once a tick for each session; leave the rate out");
        }
    }

    /// Predictions, and how many inputs they may be of.
    pub(super) fn predictions(&mut self, module: &ModuleDescription) {
        self.names("prediction", module.predictions.iter().map(|prediction| prediction.name.as_str()));
        let inputs = module.reducers.iter().filter(|reducer| reducer.kind == ReducerKind::Input).count();
        if inputs > INPUT_REDUCERS_MAX {
            let what = format!(
                "{inputs} input reducers, more than {INPUT_REDUCERS_MAX}: put what belongs together into one"
            );
            self.add("", what);
        }
        for prediction in &module.predictions {
            let place = format!(".{}", prediction.name);
            let row = module.rows.get(prediction.row as usize);
            if row.is_none_or(|row| {
                row.kind != RowKind::Component || !row.fields.iter().all(|field| field.ty.is_flat())
            }) {
                self.add(&place, "a prediction changes a component of fixed size; list it in a plugin");
            }
            let reducer = module.reducers.get(prediction.reducer as usize);
            if reducer.is_none_or(|reducer| reducer.kind != ReducerKind::Input) {
                self.add(&place, "a prediction is of an input: a #[reducer(input)] that a plugin lists");
            }
        }
    }
}
