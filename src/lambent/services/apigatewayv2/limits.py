"""How many there may be of what an account or an API has."""

# Documented: API Gateway quotas, HTTP APIs. There a quota is raised on demand; here one number serves everybody.
APIS_MAX = 600
"""In a scope."""
ROUTES_MAX = 2_000
"""Of an API. AWS begins with 300 and raises it: a table of a thousand routes is ordinary."""
INTEGRATIONS_MAX = 2_000
STAGES_MAX = 10
AUTHORIZERS_MAX = 10
DOMAINS_MAX = 120
MAPPINGS_MAX = 200
"""Of a domain."""
AUDIENCES_MAX = 50
SCOPES_MAX = 10
STAGE_VARIABLES_MAX = 100
TAGS_MAX = 50

DEPLOYMENTS_MAX = 500
"""Of an API. Assumed: AWS names no number; each holds a copy of the API, so that there has to be one."""

CORS_ITEMS_MAX = 100
"""In each list of a CORS configuration. Assumed, likewise: an answer's header holds them."""

IMPORT_MAX_BYTES = 6_291_456
"""Documented: API Gateway quotas, the size of an API definition file: 6 MB."""

PARAMETERS_MAX_CHARACTERS = 20_480
"""Of all that one integration maps. Assumed: AWS names no number; a request's headers may have half of that."""

DEPLOYED_MAX_BYTES = 2 * IMPORT_MAX_BYTES
"""
What a deployment holds. Assumed, likewise: each change of a stage that deploys by itself writes it anew. Two thousand
ordinary routes are a tenth of it.
"""
