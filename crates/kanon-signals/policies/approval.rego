# Approval of remediations: whether a person must agree before a workflow runs, and what to tell that person.
# Kanon's own default. Edit a copy of it in the ConfigMap `aianalysis-policies`, key `approval.rego`.
# Rules may be added: one more body of `require_approval`, one more `risk_factors contains {"score": …, "reason": …}`.
package aianalysis.approval

import rego.v1

# ---------------------------------------------------------------------------------------------------------------------
# Switches for more care. Each is off; `true` turns it on.
# ---------------------------------------------------------------------------------------------------------------------

# Changes of CustomResourceDefinitions, which reach every object of the type.
guard_custom_resource_definitions := false

# Environments other than staging, development, qa and test.
guard_unknown_environments := false

# Analyses that came with warnings.
guard_warnings := false

# ---------------------------------------------------------------------------------------------------------------------
# What is known
# ---------------------------------------------------------------------------------------------------------------------

default confidence_threshold := 0.8

confidence_threshold := input.confidence_threshold if input.confidence_threshold

is_high_confidence if input.confidence >= confidence_threshold

has_remediation_target if {
	is_object(input.remediation_target)
	input.remediation_target.kind != ""
}

is_production if lower(input.environment) in {"production", "prod"}

is_sensitive_resource if input.remediation_target.kind in {"Node", "StatefulSet"}

is_guarded_crd if {
	guard_custom_resource_definitions
	input.remediation_target.kind == "CustomResourceDefinition"
}

is_guarded_environment if {
	guard_unknown_environments
	not lower(input.environment) in {"production", "prod", "staging", "development", "qa", "test"}
}

has_guarded_warnings if {
	guard_warnings
	count(input.warnings) > 0
}

# ---------------------------------------------------------------------------------------------------------------------
# The decision: any one of these is enough
# ---------------------------------------------------------------------------------------------------------------------

default require_approval := false

require_approval if not has_remediation_target

require_approval if is_production

require_approval if is_sensitive_resource

require_approval if is_guarded_crd

require_approval if is_guarded_environment

require_approval if has_guarded_warnings

# ---------------------------------------------------------------------------------------------------------------------
# What to tell: scores choose the reason, and never decide
# ---------------------------------------------------------------------------------------------------------------------

risk_factors contains {"score": 90, "reason": "Cannot determine remediation target"} if not has_remediation_target

risk_factors contains {"score": 80, "reason": "Production environment with sensitive resource kind"} if {
	is_production
	is_sensitive_resource
}

risk_factors contains {"score": 70, "reason": "Production environment - requires manual approval"} if is_production

risk_factors contains {"score": 95, "reason": "Changes of a custom resource definition reach every object of its type"} if {
	is_guarded_crd
}

risk_factors contains {"score": 50, "reason": reason} if {
	is_sensitive_resource
	not is_production
	reason := sprintf("Sensitive resource kind requires manual approval: %s", [input.remediation_target.kind])
}

risk_factors contains {"score": 40, "reason": "Environment is not known to be safe"} if is_guarded_environment

risk_factors contains {"score": 30, "reason": "The analysis came with warnings"} if has_guarded_warnings

default reason := "Auto-approved"

# Factors that share the highest score are all told, in order of their text.
reason := concat("; ", sort({factor.reason | some factor in risk_factors; factor.score == highest_score})) if {
	count(risk_factors) > 0
}

highest_score := max({factor.score | some factor in risk_factors})
