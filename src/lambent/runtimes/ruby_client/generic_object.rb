# JSON::GenericObject. Loaded when somebody names it.
# frozen_string_literal: true

Lambent::Libraries.load_generic_object
