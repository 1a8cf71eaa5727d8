# Socket and its kind. Loaded when somebody names one of them.
# frozen_string_literal: true

Lambent::Libraries.load_sockets
