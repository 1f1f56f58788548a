"""Scripts as tutorials have them, written for torch; each prints numbers."""

SCRIPTS = {
    "a line fitted by hand": """
        import torch
        torch.manual_seed(1)
        x = torch.linspace(-1, 1, 50).unsqueeze(1)
        y = 3 * x - 1 + 0.1 * torch.randn(x.size())
        w, b = torch.randn(1, requires_grad=True), torch.zeros(1, requires_grad=True)
        for step in range(20):
            loss = ((x * w + b - y) ** 2).mean()
            loss.backward()
            with torch.no_grad():
                for p in (w, b):
                    p -= 0.5 * p.grad
                    p.grad.zero_()
            print(step, loss.item(), w.item(), b.item())
    """,
    "a small net on pictures": """
        import argparse
        import torch
        import torch.nn as nn
        import torch.nn.functional as F
        import torch.optim as optim
        from torch.optim.lr_scheduler import StepLR
        from torch.utils.data import DataLoader, Dataset, random_split
        from torchvision import transforms

        class Pictures(Dataset):
            def __init__(self, count, transform=None):
                generator = torch.Generator().manual_seed(3)
                self.images = torch.randint(0, 256, (count, 12, 12), generator=generator, dtype=torch.uint8)
                self.labels = self.images.float().mean((1, 2)).gt(127.5).long()
                self.transform = transform
            def __len__(self):
                return len(self.labels)
            def __getitem__(self, i):
                image = self.images[i].numpy()
                return (self.transform(image) if self.transform else image), self.labels[i].item()

        class Net(nn.Module):
            def __init__(self):
                super().__init__()
                self.conv1, self.conv2 = nn.Conv2d(1, 4, 3), nn.Conv2d(4, 8, 3, bias=False)
                self.norm, self.dropout = nn.BatchNorm2d(8), nn.Dropout(0.25)
                self.fc = nn.Linear(8 * 4 * 4, 2)
            def forward(self, x):
                x = F.relu(self.conv1(x))
                x = F.max_pool2d(F.relu(self.norm(self.conv2(x))), 2)
                return F.log_softmax(self.fc(torch.flatten(self.dropout(x), 1)), dim=1)

        parser = argparse.ArgumentParser()
        parser.add_argument("--epochs", type=int, default=1)
        args = parser.parse_args()
        torch.manual_seed(0)
        use_accel = torch.accelerator.is_available()
        device = torch.accelerator.current_accelerator() if use_accel else torch.device("cpu")
        steps = transforms.Compose([transforms.ToTensor(), transforms.Normalize((0.5,), (0.5,)),
                                    transforms.RandomHorizontalFlip()])
        train, test = random_split(Pictures(96, steps), [64, 32])
        loader, held = DataLoader(train, batch_size=16, shuffle=True), DataLoader(test, batch_size=32)
        model = Net().to(device)
        optimizer = optim.Adam(model.parameters(), lr=0.01)
        scheduler = StepLR(optimizer, step_size=1, gamma=0.7)
        for epoch in range(args.epochs):
            model.train()
            for i, (data, target) in enumerate(loader):
                data, target = data.to(device, non_blocking=True), target.to(device)
                optimizer.zero_grad()
                loss = F.nll_loss(model(data), target)
                loss.backward()
                nn.utils.clip_grad_norm_(model.parameters(), 1.0)
                optimizer.step()
                print(epoch, i, loss.item())
            scheduler.step()
            model.eval()
            with torch.inference_mode():
                total = sum(F.nll_loss(model(data), target, reduction="sum").item() for data, target in held)
            print("held back", total / len(test), scheduler.get_last_lr()[0])
        torch.save(model.state_dict(), "model.ckpt")
        again = Net()
        print(again.load_state_dict(torch.load("model.ckpt", weights_only=True, map_location="cpu")))
        print(sum(p.sum().item() for p in again.parameters()))
    """,
    "rows of pictures through an LSTM": """
        import torch
        from torch import nn
        from torch.autograd import Variable
        torch.manual_seed(2)
        class Net(nn.Module):
            def __init__(self):
                super(Net, self).__init__()
                self.rnn = nn.LSTM(input_size=5, hidden_size=7, num_layers=2, batch_first=True)
                self.out = nn.Linear(7, 3)
            def forward(self, x):
                out, (h, c) = self.rnn(x, None)
                return self.out(out[:, -1, :])
        net = Net()
        x, y = Variable(torch.randn(6, 4, 5)), torch.LongTensor([0, 1, 2, 0, 1, 2])
        optimizer = torch.optim.SGD(net.parameters(), lr=0.1, momentum=0.9)
        for step in range(8):
            loss = nn.CrossEntropyLoss()(net(x), y)
            optimizer.zero_grad(); loss.backward(); optimizer.step()
            print(loss.item(), net(x).argmax(axis=1).tolist())
    """,
    "tensors": """
        import math
        import numpy as np
        import torch
        torch.manual_seed(0)
        x = torch.rand(size=(2, 3))
        print(x, x.type(), x.new_zeros(2).tolist(), torch.ones(2, 3).sum(axis=0, keepdims=True))
        z = torch.empty(2, 3)
        torch.add(x, 1, out=z)
        print(z, torch.finfo(torch.float32).eps, torch.iinfo(torch.int8).max, torch.pi, torch.inf, torch.nan)
        print(torch.nan_to_num(torch.tensor([float("nan"), float("inf"), 1.0]), posinf=2.0), math.isinf(torch.inf))
        print(torch.device("cuda", 0), torch.FloatTensor([1, 2]), x.double().dtype, x.half().dtype, x.nbytes)
        print(torch.multinomial(torch.tensor([0.1, 0.2, 0.7]), 5, replacement=True), torch.bernoulli(x))
        print(torch.normal(0.0, 1.0, (3,)), torch.randperm(7), torch.from_numpy(np.eye(2)), torch.is_tensor(x))
    """,
    "a variational auto-encoder": """
        import torch
        from torch import nn, optim
        from torch.nn import functional as F
        from torch.utils.data import DataLoader, TensorDataset
        torch.manual_seed(4)
        class VAE(nn.Module):
            def __init__(self):
                super().__init__()
                self.fc1, self.mean, self.logvar = nn.Linear(16, 8), nn.Linear(8, 3), nn.Linear(8, 3)
                self.fc3, self.fc4 = nn.Linear(3, 8), nn.Linear(8, 16)
            def forward(self, x):
                h = F.relu(self.fc1(x))
                mu, logvar = self.mean(h), self.logvar(h)
                z = mu + torch.randn_like(mu) * torch.exp(0.5 * logvar)
                return torch.sigmoid(self.fc4(F.relu(self.fc3(z)))), mu, logvar
        model = VAE()
        optimizer = optim.Adam(model.parameters(), lr=1e-2)
        for batch, in DataLoader(TensorDataset(torch.rand(40, 16)), batch_size=8, shuffle=True):
            found, mu, logvar = model(batch)
            loss = F.binary_cross_entropy(found, batch, reduction="sum")
            loss = loss - 0.5 * torch.sum(1 + logvar - mu.pow(2) - logvar.exp())
            optimizer.zero_grad(); loss.backward(); optimizer.step()
            print(loss.item())
    """,
    "two nets against each other": """
        import torch
        import torch.nn as nn
        torch.manual_seed(5)
        def weights_init(m):
            if m.__class__.__name__.find("Conv") != -1:
                torch.nn.init.normal_(m.weight, 0.0, 0.02)
            elif m.__class__.__name__.find("BatchNorm") != -1:
                torch.nn.init.normal_(m.weight, 1.0, 0.02)
                torch.nn.init.zeros_(m.bias)
        netG = nn.Sequential(nn.ConvTranspose2d(4, 8, 4, 1, 0, bias=False), nn.BatchNorm2d(8), nn.ReLU(True),
                             nn.ConvTranspose2d(8, 1, 4, 2, 1, bias=False), nn.Tanh()).apply(weights_init)
        netD = nn.Sequential(nn.Conv2d(1, 8, 4, 2, 1, bias=False), nn.LeakyReLU(0.2, inplace=True),
                             nn.Conv2d(8, 1, 4, 1, 0, bias=False), nn.Sigmoid(), nn.Flatten(0)).apply(weights_init)
        criterion = nn.BCELoss()
        optD = torch.optim.Adam(netD.parameters(), lr=2e-3, betas=(0.5, 0.999))
        optG = torch.optim.Adam(netG.parameters(), lr=2e-3, betas=(0.5, 0.999))
        for step in range(5):
            netD.zero_grad()
            real = torch.rand(6, 1, 8, 8)
            label = torch.full((6,), 1.0)
            errD_real = criterion(netD(real), label)
            errD_real.backward()
            fake = netG(torch.randn(6, 4, 1, 1))
            label.fill_(0.0)
            errD_fake = criterion(netD(fake.detach()), label)
            errD_fake.backward()
            optD.step()
            netG.zero_grad()
            label.fill_(1.0)
            errG = criterion(netD(fake), label)
            errG.backward()
            optG.step()
            print("%.5f %.5f" % ((errD_real + errD_fake).item(), errG.item()))
    """,
}
