"""What happens: one module is one command and makes one artifact; ``cli`` joins them."""
