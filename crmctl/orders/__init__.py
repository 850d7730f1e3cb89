"""Orders (订单): what customers bought, when and for how much; what grading counts. ORD."""
