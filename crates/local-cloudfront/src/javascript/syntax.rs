//! What CloudFront's runtime lacks of the language, and the engine here has.

use std::collections::BTreeSet;
use std::convert::Infallible;
use std::ops::ControlFlow;

use boa_engine::Source;
use boa_engine::ast::expression::literal::{Literal, LiteralKind, PropertyDefinition};
use boa_engine::ast::expression::operator::assign::AssignOp;
use boa_engine::ast::expression::operator::binary::{BinaryOp, LogicalOp};
use boa_engine::ast::expression::operator::{Assign, Binary};
use boa_engine::ast::expression::{
    Call, Expression, Identifier, ImportCall, NewTarget, Optional, Spread, TaggedTemplate,
};
use boa_engine::ast::function::{
    AsyncArrowFunction, AsyncFunctionExpression, AsyncGeneratorDeclaration,
    AsyncGeneratorExpression, ClassDeclaration, ClassExpression, FormalParameter,
    GeneratorDeclaration, GeneratorExpression,
};
use boa_engine::ast::pattern::Pattern;
use boa_engine::ast::scope::Scope;
use boa_engine::ast::statement::ForOfLoop;
use boa_engine::ast::visitor::{VisitWith, Visitor};
use boa_engine::interner::Interner;
use boa_engine::parser::Parser;

use super::{MISSING, without_imports};

/// Names that the engine has not either, but that a source may hope for.
const UNKNOWN: [&str; 10] = [
    "setTimeout",
    "setInterval",
    "setImmediate",
    "clearTimeout",
    "fetch",
    "XMLHttpRequest",
    "URL",
    "URLSearchParams",
    "TextEncoder",
    "structuredClone",
];

/// Lists what a source uses that runtime 2.0 does not have (Developer Guide, "JavaScript runtime 2.0 features for CloudFront
/// Functions": what is not named there), or says that it cannot be parsed.
pub(crate) fn check(code: &str) -> Result<(), String> {
    let mut interner = Interner::new();
    let code = without_imports(code);
    let mut parser = Parser::new(Source::from_bytes(&code));
    let script = parser.parse_script(&Scope::new_global(), &mut interner);
    let script = script.map_err(|error| error.to_string())?;
    let mut features = Features {
        interner: &interner,
        lacking: BTreeSet::new(),
    };
    let _ = script.visit_with(&mut features);
    match features.lacking.into_iter().collect::<Vec<_>>() {
        lacking if lacking.is_empty() => Ok(()),
        lacking => Err(format!("The runtime has no {}.", lacking.join(", no "))),
    }
}

struct Features<'a> {
    interner: &'a Interner,
    lacking: BTreeSet<String>,
}

impl Features<'_> {
    fn lacks(&mut self, what: &str) {
        self.lacking.insert(what.to_owned());
    }
}

/// Visitors of nodes that are lacking whatever they hold.
macro_rules! lacking {
    ($($visit:ident: $node:ty => $what:literal,)*) => {
        $(fn $visit(&mut self, node: &'ast $node) -> ControlFlow<Infallible> {
            self.lacks($what);
            node.visit_with(self)
        })*
    };
}

impl<'ast> Visitor<'ast> for Features<'_> {
    type BreakTy = Infallible;

    lacking! {
        visit_class_declaration: ClassDeclaration => "class",
        visit_class_expression: ClassExpression => "class",
        visit_generator_declaration: GeneratorDeclaration => "generator",
        visit_generator_expression: GeneratorExpression => "generator",
        visit_async_generator_declaration: AsyncGeneratorDeclaration => "generator",
        visit_async_generator_expression: AsyncGeneratorExpression => "generator",
        visit_async_arrow_function: AsyncArrowFunction => "async closure",
        visit_async_function_expression: AsyncFunctionExpression => "async closure",
        visit_optional: Optional => "?.",
        visit_spread: Spread => "spread",
        visit_pattern: Pattern => "destructuring",
        visit_for_of_loop: ForOfLoop => "for of",
        visit_tagged_template: TaggedTemplate => "tagged template",
        visit_import_call: ImportCall => "import()",
        visit_new_target: NewTarget => "new.target",
    }

    fn visit_property_definition(
        &mut self,
        node: &'ast PropertyDefinition,
    ) -> ControlFlow<Infallible> {
        if let PropertyDefinition::SpreadObject(_) = node {
            self.lacks("spread");
        }
        node.visit_with(self)
    }

    fn visit_binary(&mut self, node: &'ast Binary) -> ControlFlow<Infallible> {
        if node.op() == BinaryOp::Logical(LogicalOp::Coalesce) {
            self.lacks("??");
        }
        node.visit_with(self)
    }

    fn visit_assign(&mut self, node: &'ast Assign) -> ControlFlow<Infallible> {
        if let AssignOp::Coalesce | AssignOp::BoolAnd | AssignOp::BoolOr = node.op() {
            self.lacks("logical assignment");
        }
        node.visit_with(self)
    }

    fn visit_literal(&mut self, node: &'ast Literal) -> ControlFlow<Infallible> {
        if let LiteralKind::BigInt(_) = node.kind() {
            self.lacks("BigInt");
        }
        ControlFlow::Continue(())
    }

    fn visit_formal_parameter(&mut self, node: &'ast FormalParameter) -> ControlFlow<Infallible> {
        if node.init().is_some() {
            self.lacks("default of a parameter");
        }
        node.visit_with(self)
    }

    fn visit_call(&mut self, node: &'ast Call) -> ControlFlow<Infallible> {
        if node
            .args()
            .iter()
            .any(|argument| matches!(argument, Expression::Await(_)))
        {
            self.lacks("await in arguments");
        }
        node.visit_with(self)
    }

    fn visit_identifier(&mut self, node: &'ast Identifier) -> ControlFlow<Infallible> {
        let name = self.interner.resolve_expect(node.sym()).to_string();
        if MISSING.contains(&name.as_str()) || UNKNOWN.contains(&name.as_str()) {
            self.lacks(&name);
        }
        ControlFlow::Continue(())
    }
}
