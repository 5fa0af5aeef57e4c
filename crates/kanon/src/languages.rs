//! The policy languages of this binary: one line each.

use std::sync::Arc;

use kanon_lang::{Language, Languages};

/// All languages.
pub(crate) fn all() -> Languages {
    let all: [Arc<dyn Language>; 3] =
        [Arc::new(kanon_expr::Expr::default()), Arc::new(kanon_cel::Cel::default()), Arc::new(kanon_rego::Rego)];
    all.into_iter().map(|it| (it.id(), it)).collect()
}
