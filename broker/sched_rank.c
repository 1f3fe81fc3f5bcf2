/* sched_rank.c - see sched_rank.h.      Source: treaps, Seidel and Aragon 1996; here with sizes, for places, and with a way up, so that a
 * node can be taken out without a search. */
#include "broker/sched_rank.h"

#include <assert.h>
#include <stddef.h>

/* The heap's order: by address, stirred, which no tenant can choose. */
static uint64_t weight(const struct sched_rank *node)
{
    uint64_t x = (uint64_t)(uintptr_t)node;

    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9ull;
    x = (x ^ (x >> 27)) * 0x94d049bb133111ebull;
    return x ^ (x >> 31);
}

uint32_t sched_rank_size(const struct sched_rank *root)
{
    return root != NULL ? root->size : 0;
}

static struct sched_rank **link_to(struct sched_rank **root, const struct sched_rank *node)
{
    if (node->up == NULL)
        return root;
    return node->up->left == node ? &node->up->left : &node->up->right;
}

/* The node changes places with its parent. */
static void rotate_up(struct sched_rank **root, struct sched_rank *node)
{
    struct sched_rank *up = node->up, *middle;

    *link_to(root, up) = node;
    node->up = up->up;
    if (up->left == node) {
        middle = node->right;
        up->left = middle;
        node->right = up;
    } else {
        middle = node->left;
        up->right = middle;
        node->left = up;
    }
    if (middle != NULL)
        middle->up = up;
    up->up = node;
    node->size = up->size;
    up->size = 1 + sched_rank_size(up->left) + sched_rank_size(up->right);
}

void sched_rank_add(struct sched_rank **root, struct sched_rank *node)
{
    struct sched_rank **link = root, *up = NULL;

    assert(node->size == 0);
    while (*link != NULL) {
        up = *link;
        up->size++;
        link = node->key < up->key ? &up->left : &up->right;
    }
    *link = node;
    node->left = node->right = NULL;
    node->up = up;
    node->size = 1;
    while (node->up != NULL && weight(node->up) < weight(node))
        rotate_up(root, node);
}

void sched_rank_remove(struct sched_rank **root, struct sched_rank *node)
{
    assert(node->size != 0);
    while (node->left != NULL || node->right != NULL) {
        struct sched_rank *child = node->left;

        if (child == NULL || (node->right != NULL && weight(node->right) > weight(child)))
            child = node->right;
        rotate_up(root, child);
    }
    *link_to(root, node) = NULL;
    for (struct sched_rank *up = node->up; up != NULL; up = up->up)
        up->size--;
    node->up = NULL;
    node->size = 0;
}

struct sched_rank *sched_rank_first(struct sched_rank *root)
{
    while (root != NULL && root->left != NULL)
        root = root->left;
    return root;
}

struct sched_rank *sched_rank_next(struct sched_rank *node)
{
    if (node->right != NULL)
        return sched_rank_first(node->right);
    while (node->up != NULL && node->up->right == node)
        node = node->up;
    return node->up;
}

uint32_t sched_rank_below(const struct sched_rank *root, uint64_t key)
{
    uint32_t below = 0;

    while (root != NULL) {
        if (root->key < key) {
            below += 1 + sched_rank_size(root->left);
            root = root->right;
        } else {
            root = root->left;
        }
    }
    return below;
}
