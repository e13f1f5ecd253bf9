"""What every mart must say of a shop, worked out in plain Python from what the API answers.

Nothing here comes from the warehouse, from the marts' SQL or from the package: each rule is written down again from the
header of the mart, the meanings of its columns, and `decisions.md`, so that a slip on either side shows.

arrivals  what has arrived, and what is still to come
beside    the tables of orders, refunds and rates that settings name
compared  sets what a mart holds against what it must hold, and names mart, key, column, expected and got
exchanges exchange items, chains of exchanges, what was kept
flat      rows of the raw tables, written by hand, as answers of the API
items     returned units, reasons, products and shoppers
links     which shipping notice belongs to which return, and what the notices tell of it
money     what a return is worth, who got what, and how long it took
months    stays in a state, and how the shop stood at a month's end
observed  reads a sandbox over HTTP, run by run, as the history of states is made
oddities  what can be odd about a return
odd_shop  two random shops in which nothing is tidy, synced while they live on
others    what else Loop tells of a shop, and what marts make of it
parsed    returns and notices as Python values
parcels   labels, carriers, what shipping costs
paid      refunds, and whether they fit what was chosen
rates     shares of what was sold, and the money of a group
shops     a shop with its history, and a group of them
whole     all marts of a group of shops
"""
