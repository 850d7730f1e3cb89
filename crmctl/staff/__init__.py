"""Staff (员工): who works with customers, on which post, how many they look after, who is absent. OWN-04, OWN-05."""
