//! Shards are done again: first what that would be, then the act.

use std::sync::Arc;

use askama::Template;
use axum::Extension;
use axum::extract::{Path, Query, State};
use axum::response::{Redirect, Response};
use serde::Deserialize;
use shared::ids::ShardId;

use super::super::Dashboard;
use super::super::access::Visitor;
use super::super::error::PageError;
use super::super::format::things;
use super::super::frame::{Frame, Section, page};
use super::{Act, without_queue};
use crate::collector::RunView;
use crate::estimate::Estimate;
use crate::ledger::Ledger;
use crate::resume::{self, Choice, Only, Redo};

/// Shards of a preview that are listed one by one.
const MOST_LISTED: usize = 200;

/// Which shards somebody wants to be done again, as a form says it.
#[derive(Debug, Clone, Default, Deserialize)]
pub(in super::super) struct Wish {
    /// `missing`, `failed`, or nothing for both.
    #[serde(default)]
    only: String,
    /// A style, or nothing for all.
    #[serde(default)]
    style: String,
    /// Numbers of shards, set apart by commas or spaces; nothing for all.
    #[serde(default)]
    shards: String,
}

/// Returns a wish that a list of shards may make, which says `shards` once for each that is chosen.
fn wish(pairs: Vec<(String, String)>) -> Result<Wish, PageError> {
    let mut wish = Wish::default();
    let (mut shards, mut is_choice) = (Vec::new(), false);
    for (name, value) in pairs {
        match name.as_str() {
            "only" => wish.only = value,
            "style" => wish.style = value,
            "shards" => shards.push(value),
            "chosen" => is_choice = true,
            _ => {}
        }
    }
    if is_choice && shards.is_empty() {
        return Err(PageError::Senseless(
            "no shard is chosen: go back and tick those that are to be done again".to_owned(),
        ));
    }
    wish.shards = shards.join(",");
    Ok(wish)
}

#[derive(Template)]
#[template(path = "resume.html")]
struct PreviewPage {
    frame: Frame,
    run: String,
    wish: Wish,
    what: String,
    num_shards: String,
    num_items: String,
    estimate: String,
    lines: Vec<Line>,
    num_more: usize,
    /// Why it cannot be done.
    obstacle: Option<&'static str>,
    halted: Option<String>,
}

struct Line {
    shard: ShardId,
    num_items: usize,
    why: String,
}

impl Wish {
    fn choice(&self) -> Result<Choice, PageError> {
        let senseless = |what: String| PageError::Senseless(what);
        let only = match self.only.as_str() {
            "" => None,
            "missing" => Some(Only::Missing),
            "failed" => Some(Only::Failed),
            other => {
                let what = format!("only={other:?} must be missing or failed");
                return Err(senseless(what));
            }
        };
        let numbers = self
            .shards
            .split([',', ' '])
            .filter(|part| !part.is_empty());
        let shards: Result<Vec<ShardId>, _> = numbers.map(str::parse).collect();
        Ok(Choice {
            only,
            styles: Some(self.style.clone())
                .filter(|style| !style.is_empty())
                .into_iter()
                .collect(),
            shards: shards.map_err(|error| senseless(error.to_string()))?,
        })
    }

    /// Returns what is wished, for people.
    fn what(&self) -> String {
        let kind = match self.only.as_str() {
            "missing" => "Resume what is missing",
            "failed" => "Retry what failed",
            _ => "Do again what is missing or failed",
        };
        let style = match self.style.as_str() {
            "" => String::new(),
            style => format!(", in the style of {style}"),
        };
        let shards = match self.shards.trim() {
            "" => String::new(),
            shards if shards.contains(',') => ", of the chosen shards".to_owned(),
            shard => format!(", of shard {shard}"),
        };
        format!("{kind}{style}{shards}")
    }
}

/// What would be done again.
struct Found {
    ledger: Ledger,
    redo: Vec<Redo>,
}

async fn find(dashboard: &Dashboard, view: &RunView, wish: &Wish) -> Result<Found, PageError> {
    let storage = dashboard.storage.as_ref();
    let choice = wish.choice()?;
    let ledger = Ledger::read(storage, view.id()).await?;
    let redo = resume::find(storage, &view.run, &ledger, &choice).await?;
    Ok(Found { ledger, redo })
}

pub(in super::super) async fn preview(
    State(dashboard): State<Arc<Dashboard>>,
    Extension(visitor): Extension<Visitor>,
    Path(run): Path<String>,
    Query(pairs): Query<Vec<(String, String)>>,
) -> Result<Response, PageError> {
    let view = dashboard.run(&run)?;
    let wish = wish(pairs)?;
    let Found { ledger, redo } = find(&dashboard, &view, &wish).await?;
    let num_items = resume::num_items(&redo);
    let broker = dashboard.board.broker();
    let depth = broker.and_then(|broker| broker.depth.ok());
    let workers = depth.map_or(0, |depth| depth.consumers);
    let estimate = Estimate::with(num_items, &view.counts, workers);
    let line = |redo: &Redo| Line {
        shard: redo.shard,
        num_items: redo.num_items,
        why: redo.why.to_string(),
    };
    Ok(page(&PreviewPage {
        frame: Frame::new(&dashboard, &visitor, Section::Runs, format!("Resume {run}"))
            .about(&dashboard, view.id())
            .still(),
        run,
        what: wish.what(),
        wish,
        num_shards: things(redo.len(), "shard"),
        num_items: things(num_items, "item"),
        estimate: estimate.to_string(),
        lines: redo.iter().take(MOST_LISTED).map(line).collect(),
        num_more: redo.len().saturating_sub(MOST_LISTED),
        obstacle: without_queue(&dashboard),
        halted: ledger.decisions.halted,
    }))
}

pub(in super::super) async fn publish(
    State(dashboard): State<Arc<Dashboard>>,
    Extension(visitor): Extension<Visitor>,
    Path(run): Path<String>,
    Act(wish): Act<Wish>,
) -> Result<Redirect, PageError> {
    let view = dashboard.run(&run)?;
    let Some(queue) = &dashboard.queue else {
        let why = without_queue(&dashboard).unwrap_or_default();
        return Err(PageError::Trouble(why.to_owned()));
    };
    let Found { mut ledger, redo } = find(&dashboard, &view, &wish).await?;
    let storage = dashboard.storage.as_ref();
    if !redo.is_empty() {
        let run = view.run.as_ref();
        resume::publish(storage, queue.as_ref(), run, &mut ledger, &redo, |_| {}).await?;
        tracing::info!(run = %view.id(), shards = redo.len(), "resumed from the dashboard");
        dashboard.board.hurry();
    }
    let notice = format!(
        "Handed to {}: {} with {}.",
        queue.locate(),
        things(redo.len(), "shard"),
        things(resume::num_items(&redo), "item")
    );
    if let Some(secret) = &visitor.secret {
        dashboard.sessions.say(secret, notice);
    }
    Ok(Redirect::to(&format!("/runs/{run}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shards_that_are_ticked_are_chosen_and_none_are_not_all() {
        let asked = |pairs: &[(&str, &str)]| {
            let own = |&(name, value): &(&str, &str)| (name.to_owned(), value.to_owned());
            wish(pairs.iter().map(own).collect())
        };
        let ticked = asked(&[("chosen", "yes"), ("shards", "000007"), ("shards", "12")]).unwrap();
        assert_eq!(ticked.choice().unwrap().shards, [ShardId(7), ShardId(12)]);
        assert_eq!(
            ticked.what(),
            "Do again what is missing or failed, of the chosen shards"
        );
        assert!(asked(&[("chosen", "yes")]).is_err());
        let all = asked(&[("only", "failed")]).unwrap();
        assert!(all.choice().unwrap().shards.is_empty());
    }

    #[test]
    fn a_wish_is_read_as_people_write_it() {
        let wish = Wish {
            only: "failed".to_owned(),
            shards: "000007, 12".to_owned(),
            ..Wish::default()
        };
        let choice = wish.choice().unwrap();
        assert_eq!(choice.only, Some(Only::Failed));
        assert_eq!(choice.shards, [ShardId(7), ShardId(12)]);
        assert!(choice.styles.is_empty());
        let nonsense = Wish {
            shards: "seven".to_owned(),
            ..Wish::default()
        };
        assert!(nonsense.choice().is_err());
    }
}
